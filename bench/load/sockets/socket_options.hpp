// SPDX-License-Identifier: BSD-3-Clause
// What --sockets is asked to do besides what every back end is asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/payload.hpp"
#include "bench/load/sockets/profile.hpp"

namespace turnpike::load {

enum class ClientTransport : std::uint8_t { kUdp, kTcp, kTls };

struct SocketOptions {
  bool on = false;
  ClientTransport transport = ClientTransport::kUdp;
  std::string client_netns;  // empty: where the program was started
  std::string peer_netns;
  std::vector<Direction> directions{kToPeer};
  Profile profile;
  std::uint16_t train = 1;  // packets of one session in a row
  bool gso = true;          // a train of packets of one size leaves as one datagram with UDP_SEGMENT
  bool gro = true;
  unsigned threads = 1;
  std::vector<int> cpus;  // the sender's, then the receiver's
  std::uint32_t receive_buffer = 0;
  std::uint32_t sweep_us = 0;  // between two looks at the sockets, with one thread
  bool deaf = false;           // the clients take none of the media

  bool hold = false;
  bool allocate_only = false;
  bool leave = false;
  std::uint32_t at_once = 0;
  std::uint32_t open_sockets = 0;
};

}  // namespace turnpike::load
