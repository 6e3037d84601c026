// SPDX-License-Identifier: BSD-3-Clause
// Endpoints as the socket calls want them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "common/wire/endpoint.hpp"

namespace turnpike::wire {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// Returns the length that the kernel wants with it.
inline socklen_t to_kernel(const Endpoint& endpoint, SocketAddress& out) noexcept {
  if (endpoint.address.is_v4()) {
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(endpoint.port);
    std::memcpy(&out.v4.sin_addr, endpoint.address.bytes.data(), 4);
    return sizeof out.v4;
  }
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(endpoint.port);
  std::memcpy(&out.v6.sin6_addr, endpoint.address.bytes.data(), 16);
  return sizeof out.v6;
}

// Family kNone for anything but IPv4 and IPv6.
inline Endpoint from_kernel(const SocketAddress& address) noexcept {
  Endpoint endpoint;
  if (address.any.sa_family == AF_INET) {
    endpoint.address = IpAddress::v4_bytes(reinterpret_cast<const std::uint8_t*>(&address.v4.sin_addr));
    endpoint.port = ntohs(address.v4.sin_port);
  } else if (address.any.sa_family == AF_INET6) {
    endpoint.address = IpAddress::v6_bytes(address.v6.sin6_addr.s6_addr);
    endpoint.port = ntohs(address.v6.sin6_port);
  }
  return endpoint;
}

}  // namespace turnpike::wire
