// SPDX-License-Identifier: BSD-3-Clause
// The clients' sockets, and their requests over them.
#pragma once

#include <vector>

#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"
#include "bench/load/sockets/stream_connection.hpp"
#include "bench/load/sockets/udp_socket.hpp"

namespace turnpike::load {

// A socket is opened when its client first speaks. At most SocketOptions::open_sockets stay open without a
// request under way: an allocation lives on without its client's UDP socket. Connections stay.
class ClientSockets final : public RequestPath {
public:
  ClientSockets(const Options& options, const std::vector<Session>& sessions, std::size_t keep);
  ~ClientSockets() override;

  Status send(std::uint32_t session, Bytes message) override;
  void receive(const Take& take) override;
  void rest(std::uint32_t session) override;

  // The client's connection; null with UDP.
  StreamConnection* stream(std::uint32_t session) const { return streams_[session].get(); }
  UdpSocket& udp(std::uint32_t session) { return sockets_[session]; }
  int fd(std::uint32_t session) const {
    return streams_[session] ? streams_[session]->fd() : sockets_[session].fd();
  }
  // Datagrams that found a receive buffer full.
  std::uint64_t drops(std::uint32_t session) const {
    return streams_[session] ? 0 : sockets_[session].drops();
  }

private:
  bool is_open(std::uint32_t session) const { return streams_[session] || sockets_[session].is_open(); }
  Status open(std::uint32_t session);
  Status open_socket(std::uint32_t session);
  void receive_datagrams(std::uint32_t session, const Take& take);

  const Options& options_;
  const std::vector<Session>& sessions_;
  std::size_t keep_;
  std::size_t open_ = 0;
  int epoll_ = -1;
  TlsContextPointer tls_;
  std::vector<UdpSocket> sockets_;
  std::vector<std::unique_ptr<StreamConnection>> streams_;
};

// As many descriptors as may be had, but not more than `wanted`.
void raise_descriptor_limit(std::size_t wanted);

}  // namespace turnpike::load
