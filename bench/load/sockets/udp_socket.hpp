// SPDX-License-Identifier: BSD-3-Clause
// One non-blocking UDP socket with an address of its own.
#pragma once

#include <cstdint>
#include <utility>

#include "common/base/result.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::load {

class UdpSocket {
public:
  UdpSocket() = default;
  UdpSocket(UdpSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UdpSocket& operator=(UdpSocket&& other) noexcept;
  ~UdpSocket() { close(); }

  static Result<UdpSocket> open(const wire::Endpoint& local);
  // From now on only this endpoint is heard and spoken to.
  Status connect(const wire::Endpoint& remote);
  Status set_buffers(std::uint32_t bytes);
  void set_gro(bool on);
  void close();

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // Datagrams that arrived and found the receive buffer full.
  std::uint64_t drops() const;

private:
  int fd_ = -1;
};

}  // namespace turnpike::load
