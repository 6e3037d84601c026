// SPDX-License-Identifier: BSD-3-Clause
// System calls around one socket.
#include "bench/load/sockets/udp_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/wire/socket_address.hpp"

namespace turnpike::load {
namespace {

Error failed(const wire::Endpoint& endpoint, const char* what) {
  return Error{to_string(endpoint) + ": " + what + ": " + std::strerror(errno)};
}

}  // namespace

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Result<UdpSocket> UdpSocket::open(const wire::Endpoint& local) {
  UdpSocket made;
  const int family = local.address.is_v4() ? AF_INET : AF_INET6;
  made.fd_ = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made.fd_ < 0) return failed(local, "socket");
  wire::SocketAddress address;
  if (const auto size = wire::to_kernel(local, address); bind(made.fd_, &address.any, size) != 0)
    return failed(local, "bind");
  return made;
}

Status UdpSocket::connect(const wire::Endpoint& remote) {
  wire::SocketAddress address;
  if (const auto size = wire::to_kernel(remote, address); ::connect(fd_, &address.any, size) != 0)
    return failed(remote, "connect");
  return Unit{};
}

// Beyond the system's limit where that is allowed.
Status UdpSocket::set_buffers(std::uint32_t bytes) {
  const int size = static_cast<int>(bytes);
  for (const auto& [forced, asked] :
       {std::pair(SO_RCVBUFFORCE, SO_RCVBUF), std::pair(SO_SNDBUFFORCE, SO_SNDBUF)}) {
    if (setsockopt(fd_, SOL_SOCKET, forced, &size, sizeof size) == 0) continue;
    if (setsockopt(fd_, SOL_SOCKET, asked, &size, sizeof size) != 0) {
      return Error{std::string("socket buffers: ") + std::strerror(errno)};
    }
  }
  return Unit{};
}

// A kernel that does not know it delivers packet by packet, which is handled as well.
void UdpSocket::set_gro(bool on) {
  const int value = on ? 1 : 0;
  static_cast<void>(setsockopt(fd_, IPPROTO_UDP, UDP_GRO, &value, sizeof value));
}

void UdpSocket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::uint64_t UdpSocket::drops() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return size > SK_MEMINFO_DROPS * sizeof info[0] ? info[SK_MEMINFO_DROPS] : 0;
}

}  // namespace turnpike::load
