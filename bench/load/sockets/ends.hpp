// SPDX-License-Identifier: BSD-3-Clause
// The sockets that media passes, and what passes them.
#pragma once

#include <array>

#include "bench/load/sockets/client_sockets.hpp"
#include "bench/load/sockets/messages.hpp"

namespace turnpike::load {

struct Ends {
  const Options& options;
  const std::vector<Session>& sessions;
  ClientSockets& clients;
  std::vector<UdpSocket>& peers;
  std::array<Messages, kDirections> messages;

  int sending_fd(Direction direction, std::uint32_t session) const {
    return direction == kToPeer ? clients.fd(session) : peers[session].fd();
  }
  // Null unless a client with a connection is the one who sends, or receives.
  StreamConnection* sending_stream(Direction direction, std::uint32_t session) const {
    return direction == kToPeer ? clients.stream(session) : nullptr;
  }
  StreamConnection* receiving_stream(Direction direction, std::uint32_t session) const {
    return direction == kToClient ? clients.stream(session) : nullptr;
  }
  int receiving_fd(Direction direction, std::uint32_t session) const {
    return direction == kToPeer ? peers[session].fd() : clients.fd(session);
  }
  // Arrivals that this program was too slow to take.
  std::uint64_t drops() const {
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < sessions.size(); ++i) total += clients.drops(i) + peers[i].drops();
    return total;
  }
};

}  // namespace turnpike::load
