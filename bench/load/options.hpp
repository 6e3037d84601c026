// SPDX-License-Identifier: BSD-3-Clause
// What turnpike-load is asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/load/port_name.hpp"
#include "bench/load/sockets/socket_options.hpp"
#include "common/base/result.hpp"
#include "common/wire/endpoint.hpp"
#include "common/wire/ethernet.hpp"

namespace turnpike::load {

struct Options {
  SocketOptions sockets;
  PortName port;  // unless sockets.on
  std::string lcores;
  std::string file_prefix;
  bool no_huge = false;

  bool swap = false;  // no relay: what is sent comes back, from testpmd's 5tswap or a null port
  wire::Endpoint server;
  wire::MacAddress relay_mac;
  bool resolve_relay = false;  // relay_mac is asked for
  wire::MacAddress own_mac;
  wire::IpAddress client_ip;  // the first one: a hundred thousand sessions take two
  wire::IpAddress peer_ip;
  std::uint16_t first_port = 10'000;  // of each address, 50,000 follow
  std::string user;
  std::string password;
  bool even_port = false;    // EVEN-PORT without R in Allocate requests
  bool indications = false;  // Send and Data instead of channels

  std::uint32_t sessions = 0;  // clients
  std::uint16_t payload = 0;   // bytes; of the largest packet where they differ
  std::uint64_t rate = 0;      // packets per second of all directions; 0: as many as go through
  bool ndr = false;            // search for the highest rate
  std::uint64_t min_rate = 0;
  std::uint64_t max_rate = 0;
  double max_loss = 0;  // percent
  std::uint32_t trials = 0;
  std::uint32_t warmup = 0;       // seconds that do not count for the rates
  std::uint32_t seconds = 0;      // that do; 0: until a signal
  std::uint32_t refresh_s = 240;  // between refreshes of an allocation and what belongs to it
  std::uint16_t burst = 0;
  std::uint32_t window = 0;   // packets under way per direction
  std::uint32_t verify = 0;   // every how many bursts is verified whole; 0: none
  std::uint32_t rest_us = 0;  // of a paced port when nothing moves
  std::string counts;         // file of SharedCounts; empty: none
  std::uint32_t sources = 0;  // addresses that a flood says it comes from; 0: the clients' own
  bool json = false;
};

// Nothing when help was asked for and printed.
Result<std::optional<Options>> parse_options(int argc, const char* const* argv);

}  // namespace turnpike::load
