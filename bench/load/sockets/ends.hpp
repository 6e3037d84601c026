// SPDX-License-Identifier: BSD-3-Clause
// The sockets that media passes, and what passes them. A session has one client and one peer; clients may
// have several sessions.
#pragma once

#include <array>

#include "bench/load/sockets/client_sockets.hpp"
#include "bench/load/sockets/mailbox.hpp"
#include "bench/load/sockets/messages.hpp"
#include "common/wire/socket_address.hpp"

namespace turnpike::load {

// Where a peer's packets go when it has to learn that from arrivals.
struct Remote {
  wire::SocketAddress address{};
  socklen_t size = 0;  // 0: unknown yet
};

struct Ends {
  const Options& options;
  const std::vector<Session>& sessions;
  ClientSockets* clients;         // null: another process plays them
  std::vector<UdpSocket>& peers;  // empty: likewise
  std::vector<Remote>* remotes;   // of the peers; null: their sockets are connected
  Mailbox* mailbox;               // of the clients' requests
  std::array<Messages, kDirections> messages;

  std::uint32_t client_of(std::uint32_t session) const { return session / options.sockets.peers_per_client; }
  int sending_fd(Direction direction, std::uint32_t session) const {
    return direction == kToPeer ? clients->fd(client_of(session)) : peers[session].fd();
  }
  // Null unless a client with a connection is the one who sends.
  ClientConnection* sending_connection(Direction direction, std::uint32_t session) const {
    return direction == kToPeer ? clients->connection(client_of(session)) : nullptr;
  }
  // Null when the socket is connected.
  Remote* remote(Direction direction, std::uint32_t session) const {
    return direction == kToClient && remotes != nullptr ? &(*remotes)[session] : nullptr;
  }
  // How many receive what goes in a direction: peers have a socket each session, clients one for all of
  // theirs.
  std::uint32_t receivers(Direction direction) const {
    if (direction == kToPeer) return static_cast<std::uint32_t>(peers.size());
    return clients == nullptr ? 0 : options.sessions;
  }
  int receiving_fd(Direction direction, std::uint32_t receiver) const {
    return direction == kToPeer ? peers[receiver].fd() : clients->fd(receiver);
  }
  ClientConnection* receiving_connection(Direction direction, std::uint32_t receiver) const {
    return direction == kToClient ? clients->connection(receiver) : nullptr;
  }
  // What comes back to clients from those who send it as it came.
  bool comes_back() const { return options.sockets.echo || options.swap; }
  // Arrivals that this program was too slow to take.
  std::uint64_t drops() const {
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < receivers(kToClient); ++i) total += clients->drops(i);
    for (const UdpSocket& peer : peers) total += peer.drops();
    return total;
  }
};

}  // namespace turnpike::load
