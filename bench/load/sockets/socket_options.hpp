// SPDX-License-Identifier: BSD-3-Clause
// What --sockets is asked to do besides what every back end is asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/payload.hpp"
#include "bench/load/sockets/profile.hpp"

namespace turnpike::load {

enum class ClientTransport : std::uint8_t { kUdp, kTcp, kTls, kDtls };

constexpr bool is_stream(ClientTransport transport) {
  return transport == ClientTransport::kTcp || transport == ClientTransport::kTls;
}

enum class Mode : std::uint8_t { kMedia, kAlloc, kSoak, kInvalid, kProbe, kNdr };
enum class Role : std::uint8_t { kBoth, kClient, kPeer };

struct SocketOptions {
  bool on = false;
  Mode mode = Mode::kMedia;
  Role role = Role::kBoth;  // what this process plays
  ClientTransport transport = ClientTransport::kUdp;
  std::string client_netns;  // empty: where the program was started
  std::string peer_netns;
  std::uint32_t peers_per_client = 1;
  std::vector<Direction> directions{kToPeer};
  bool echo = false;  // peers send back what reaches them
  Profile profile;
  std::uint16_t train = 1;  // packets of one session in a row
  bool gso = true;          // a train of packets of one size leaves as one datagram with UDP_SEGMENT
  bool gro = true;
  std::uint32_t sender_threads = 1;
  std::uint32_t receiver_threads = 0;  // 0: the sender receives
  std::vector<int> cpus;               // the senders', then the receivers'
  std::uint32_t receive_buffer = 0;
  std::uint32_t sweep_us = 0;  // between two looks at the sockets, with one thread
  bool deaf = false;           // the clients take none of the media

  // Of allocations.
  bool allocate_only = false;
  bool leave = false;
  std::uint32_t at_once = 64;
  std::uint32_t open_sockets = 0;
  std::vector<int> server_pids;  // whose memory is told

  std::uint32_t life_s = 0;  // of a session of --mode soak, on average
  std::uint64_t seed = 0;
  std::string flood;  // of --mode invalid
};

// What this process sends.
inline std::vector<Direction> sending_directions(const SocketOptions& options) {
  std::vector<Direction> mine;
  for (const Direction direction : options.directions) {
    const Role elsewhere = direction == kToPeer ? Role::kPeer : Role::kClient;
    if (options.role != elsewhere) mine.push_back(direction);
  }
  return mine;
}
inline bool needs_rate(const SocketOptions& options) {
  const bool media = options.mode == Mode::kMedia || options.mode == Mode::kSoak;
  return media && !sending_directions(options).empty();
}

}  // namespace turnpike::load
