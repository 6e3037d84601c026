// SPDX-License-Identifier: BSD-3-Clause
// The clients' sockets, and their requests over them.
#pragma once

#include <vector>

#include "bench/load/request_path.hpp"
#include "bench/load/session.hpp"
#include "bench/load/sockets/udp_socket.hpp"

namespace turnpike::load {

// A socket is opened when its client first speaks. At most SocketOptions::open_sockets stay open without a
// request under way: an allocation lives on without its client's socket.
class ClientSockets final : public RequestPath {
public:
  ClientSockets(const Options& options, const std::vector<Session>& sessions, std::size_t keep);
  ~ClientSockets() override;

  Status send(std::uint32_t session, Bytes message) override;
  void receive(const Take& take) override;
  void rest(std::uint32_t session) override;

  UdpSocket& operator[](std::uint32_t session) { return sockets_[session]; }

private:
  Status open(std::uint32_t session);

  const Options& options_;
  const std::vector<Session>& sessions_;
  std::size_t keep_;
  std::size_t open_ = 0;
  int epoll_ = -1;
  std::vector<UdpSocket> sockets_;
};

// As many descriptors as may be had, but not more than `wanted`.
void raise_descriptor_limit(std::size_t wanted);

}  // namespace turnpike::load
