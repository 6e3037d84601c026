// SPDX-License-Identifier: BSD-3-Clause
// Binding without ever reading.
#include "control/runtime/port_holder.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace turnpike::control {
namespace {

int bind_to(int socket, const wire::Endpoint& endpoint) {
  const std::uint16_t port = htons(endpoint.port);
  if (endpoint.address.is_v4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = port;
    std::memcpy(&address.sin_addr, endpoint.address.bytes.data(), sizeof address.sin_addr);
    return bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = port;
  std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), sizeof address.sin6_addr);
  return bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

Result<std::vector<UniqueFd>> hold_endpoints(std::span<const wire::ServerEndpoint> endpoints) {
  std::vector<UniqueFd> held;
  for (const wire::ServerEndpoint& endpoint : endpoints) {
    const int family = endpoint.address.is_v4() ? AF_INET : AF_INET6;
    UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) continue;  // a kernel without that family has no such address either
    const int smallest = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
    if (bind_to(socket.get(), endpoint) == 0) {
      held.push_back(std::move(socket));
    } else if (errno == EADDRINUSE) {
      return Error{"listening-port: another program of this machine serves UDP on " +
                   wire::to_string(endpoint) +
                   "; stop it (find it with: ss -lunp) or choose another --listening-port"};
    }
    // EADDRNOTAVAIL: the address lives on a port that the kernel does not see. EACCES: a port below 1024
    // without the right to bind it; only the check is lost.
  }
  return held;
}

}  // namespace turnpike::control
