// SPDX-License-Identifier: BSD-3-Clause
// Opening UDP sockets, and finding them by address and port.
#include "dataplane/port/socket_endpoint.hpp"

#include <netinet/udp.h>
#include <unistd.h>

#include <cerrno>

#include "common/wire/socket_address.hpp"

namespace turnpike::dataplane {
namespace {

// As much as a burst of several workers' worth of video may need; the kernel grants up to net.core.rmem_max
// and wmem_max (scripts/turnpike-sysctl.conf raises them).
constexpr int kBufferBytes = 32 << 20;

bool set(int fd, int level, int option, int value) noexcept {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// What the stages read of each datagram's IP header, and ICMP errors.
void ask_for_ip_fields(int fd, bool v4, bool listener) noexcept {
  if (v4) {
    set(fd, IPPROTO_IP, IP_RECVTTL, 1);
    set(fd, IPPROTO_IP, IP_RECVTOS, 1);
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);  // DF is 0 unless a packet asks for it
    if (!listener) set(fd, IPPROTO_IP, IP_RECVERR, 1);
  } else {
    set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    if (!listener) set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
  }
}

void grow_buffers(int fd) noexcept {
  // FORCE passes the sysctl limits where we have CAP_NET_ADMIN.
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kBufferBytes)) set(fd, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
  if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, kBufferBytes)) set(fd, SOL_SOCKET, SO_SNDBUF, kBufferBytes);
}

}  // namespace

int open_socket(const wire::Endpoint& local, bool listener, bool share, bool gro) noexcept {
  const bool v4 = local.address.is_v4();
  const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (!v4) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (share) set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  wire::SocketAddress address;
  const socklen_t length = wire::to_kernel(local, address);
  if (bind(fd, &address.any, length) != 0) {
    const int error = errno;
    close(fd);
    return -error;
  }
  ask_for_ip_fields(fd, v4, listener);
  grow_buffers(fd);
  if (gro) set(fd, IPPROTO_UDP, UDP_GRO, 1);  // kernels before 5.0 deliver one by one
  return fd;
}

SocketBuffers buffers_of(int fd) noexcept {
  SocketBuffers buffers;
  socklen_t size = sizeof(int);
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers.receive, &size);
  getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffers.send, &size);
  // socket(7): the kernel doubles the value for its own overhead.
  return {buffers.receive / 2, buffers.send / 2};
}

SocketTable::SocketTable(std::uint32_t capacity) : endpoints_(capacity) {
  free_.reserve(capacity);
  for (std::uint32_t i = capacity; i > 0; --i) free_.push_back(i - 1);
  for (auto& ports : by_port_) ports.assign(65536, kNoSocket);
}

SocketTable::~SocketTable() {
  for (const SocketEndpoint& endpoint : endpoints_) {
    if (endpoint.fd >= 0) close(endpoint.fd);
  }
}

std::uint32_t SocketTable::add(int fd, const wire::Endpoint& local, bool listener) noexcept {
  if (free_.empty()) return kNoSocket;
  const std::uint32_t index = free_.back();
  free_.pop_back();
  SocketEndpoint& endpoint = endpoints_[index];
  endpoint = {};
  endpoint.fd = fd;
  endpoint.local = local;
  endpoint.listener = listener;
  std::uint32_t& first = chain(local.address, local.port);
  endpoint.next = first;
  first = index;
  return index;
}

void SocketTable::remove(std::uint32_t index) noexcept {
  SocketEndpoint& endpoint = endpoints_[index];
  std::uint32_t* link = &chain(endpoint.local.address, endpoint.local.port);
  while (*link != index) link = &endpoints_[*link].next;
  *link = endpoint.next;
  close(endpoint.fd);  // leaves every epoll set as well
  endpoint = {};
  free_.push_back(index);
}

std::uint32_t SocketTable::find(const wire::IpAddress& address, std::uint16_t port) const noexcept {
  std::uint32_t index = by_port_[address.is_v4() ? 0 : 1][port];
  while (index != kNoSocket && endpoints_[index].local.address != address) index = endpoints_[index].next;
  return index;
}

}  // namespace turnpike::dataplane
