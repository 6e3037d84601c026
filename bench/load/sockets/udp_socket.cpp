// SPDX-License-Identifier: BSD-3-Clause
// System calls around one socket.
#include "bench/load/sockets/udp_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace turnpike::load {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress address_of(const wire::Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes.data(), sizeof v4.sin_addr);
    std::memcpy(&address.storage, &v4, address.size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), sizeof v6.sin6_addr);
    std::memcpy(&address.storage, &v6, address.size = sizeof v6);
  }
  return address;
}

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
  const SocketAddress address = address_of(local);
  if (bind(made.fd_, address.get(), address.size) != 0) return failed(local, "bind");
  return made;
}

Status UdpSocket::connect(const wire::Endpoint& remote) {
  const SocketAddress address = address_of(remote);
  if (::connect(fd_, address.get(), address.size) != 0) return failed(remote, "connect");
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
