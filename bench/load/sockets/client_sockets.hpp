// SPDX-License-Identifier: BSD-3-Clause
// The clients' sockets, and their requests over them.
#pragma once

#include <vector>

#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"
#include "bench/load/sockets/client_connection.hpp"
#include "bench/load/sockets/udp_socket.hpp"

namespace turnpike::load {

// A socket is opened when its client first speaks. At most SocketOptions::open_sockets stay open without a
// request under way: an allocation lives on without its client's UDP socket. Connections stay.
class ClientSockets final : public RequestPath {
public:
  ClientSockets(const Options& options, const std::vector<Session>& sessions, std::size_t keep);
  ~ClientSockets() override;

  // Unless it is open already.
  Status open(std::uint32_t client);
  void close(std::uint32_t client);

  Status send(std::uint32_t client, Bytes message) override;
  void receive(const Take& take) override;
  void rest(std::uint32_t client) override;

  // The client's connection; null with UDP.
  ClientConnection* connection(std::uint32_t client) const { return connections_[client].get(); }
  UdpSocket& udp(std::uint32_t client) { return sockets_[client]; }
  int fd(std::uint32_t client) const {
    return connections_[client] ? connections_[client]->fd() : sockets_[client].fd();
  }
  // Datagrams that found a receive buffer full.
  std::uint64_t drops(std::uint32_t client) const {
    return connections_[client] ? connections_[client]->drops() : sockets_[client].drops();
  }

private:
  const wire::Endpoint& endpoint(std::uint32_t client) const {
    return sessions_[client * options_.sockets.peers_per_client].client;
  }
  bool is_open(std::uint32_t client) const { return connections_[client] || sockets_[client].is_open(); }
  Status open_socket(std::uint32_t client);
  Status open_connection(std::uint32_t client);
  void receive_datagrams(std::uint32_t client, const Take& take);

  const Options& options_;
  const std::vector<Session>& sessions_;  // as many in a row for each client as it has peers
  std::size_t keep_;
  std::size_t open_ = 0;
  int epoll_ = -1;
  TlsContextPointer tls_;
  std::vector<UdpSocket> sockets_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
};

// As many descriptors as may be had, but not more than `wanted`.
void raise_descriptor_limit(std::size_t wanted);

}  // namespace turnpike::load
