// SPDX-License-Identifier: BSD-3-Clause
// Binding, and what a failure means.
#include "control/runtime/port_holder.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "common/wire/socket_address.hpp"

namespace turnpike::control {

Result<UniqueFd> bind_udp(const wire::Endpoint& endpoint, const char* option, PortUse use) {
  const bool v4 = endpoint.address.is_v4();
  UniqueFd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return UniqueFd();  // a kernel without that family has no such address either
  const int on = 1;
  if (!v4) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  wire::SocketAddress address;
  const socklen_t size = wire::to_kernel(endpoint, address);
  before_bind(socket.get(), use);
  if (bind(socket.get(), &address.any, size) == 0) {
    after_bind(socket.get(), use);
    return socket;
  }
  if (errno == EADDRINUSE) {
    return Error{std::string(option) + ": another program of this machine serves UDP on " +
                 wire::to_string(endpoint) + "; stop it (find it with: ss -lunp) or choose another --" +
                 option};
  }
  // EADDRNOTAVAIL: the address lives on a port that the kernel does not see. EACCES: a port below 1024
  // without the right to bind it.
  return UniqueFd();
}

Result<std::vector<HeldEndpoint>> hold_endpoints(std::span<const wire::ServerEndpoint> endpoints,
                                                 PortUse use) {
  std::vector<HeldEndpoint> held;
  for (const wire::ServerEndpoint& endpoint : endpoints) {
    auto socket = bind_udp(endpoint, "listening-port", use);
    if (!socket) return Error{socket.error()};
    if (socket->get() < 0) continue;
    const int smallest = 1;  // whoever reads it asks for more
    setsockopt(socket->get(), SOL_SOCKET, SO_RCVBUF, &smallest, sizeof smallest);
    held.push_back({endpoint, std::move(*socket)});
  }
  return held;
}

}  // namespace turnpike::control
