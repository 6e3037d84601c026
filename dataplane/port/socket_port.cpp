// SPDX-License-Identifier: BSD-3-Clause
// Listeners: on which addresses, and why one cannot be had.
#include "dataplane/port/socket_port.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "common/wire/socket_address.hpp"
#include "dataplane/port/listener_lanes.hpp"

namespace turnpike::dataplane {
namespace {

bool unspecified(const wire::IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool link_local(const wire::IpAddress& address) {
  return address.is_v6() && address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0) == 0x80;
}

// The machine's addresses of one family, loopback included, link-local ones not: their scope is one link.
std::vector<wire::IpAddress> machine_addresses(wire::Family family) {
  std::vector<wire::IpAddress> found;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    wire::SocketAddress address{};
    const bool v4 = entry->ifa_addr->sa_family == AF_INET;
    if (!v4 && entry->ifa_addr->sa_family != AF_INET6) continue;
    std::memcpy(&address, entry->ifa_addr, v4 ? sizeof address.v4 : sizeof address.v6);
    const wire::IpAddress ip = wire::from_kernel(address).address;
    if (ip.family != family || link_local(ip)) continue;
    if (std::find(found.begin(), found.end(), ip) == found.end()) found.push_back(ip);
  }
  freeifaddrs(list);
  return found;
}

std::string why(const wire::Endpoint& local, int error) {
  const std::string text = wire::to_string(local) + ": ";
  switch (error) {
    case EADDRINUSE:
      return text + "another process has it; ss -lunp \"sport = :" + std::to_string(local.port) +
             "\" shows which; stop it or choose another port";
    case EADDRNOTAVAIL:
      return text + "no netdev of this machine carries the address; see ip address";
    case EACCES:
      return text + "ports below 1024 need CAP_NET_BIND_SERVICE; choose another port";
    default:
      return text + std::strerror(error);
  }
}

}  // namespace

SocketSet::~SocketSet() {
  for (const Listener& listener : listeners_) {
    for (const int fd : listener.fds) {
      if (fd >= 0) close(fd);
    }
  }
}

Status SocketSet::listen(const wire::Endpoint& listening, std::uint16_t workers) {
  if (!unspecified(listening.address)) return listen_on(listening, workers);
  const auto addresses = machine_addresses(listening.address.family);
  for (const wire::IpAddress& address : addresses) {
    if (auto done = listen_on({address, 0, listening.port}, workers); !done) return done;
  }
  return Unit{};
}

Status SocketSet::listen_on(const wire::Endpoint& local, std::uint16_t workers) {
  for (const Listener& other : listeners_) {
    if (other.local == local) return Unit{};
  }
  // Alone first: SO_REUSEPORT would let us in beside another process of this user.
  const int probe = open_socket(local, true, false, false);
  if (probe < 0) return Error{why(local, -probe)};
  close(probe);
  Listener& listener = listeners_.emplace_back();
  listener.local = local;
  for (std::size_t i = 0; i < kLanes * workers; ++i)
    listener.fds.push_back(open_socket(local, true, true, options_.recvmmsg));
  for (const int fd : listener.fds) {
    if (fd < 0) return Error{why(local, -fd)};
  }
  // A kernel that refuses leaves it to a hash of the addresses who gets which datagram.
  attach_listener_lanes(listener.fds.front(), local.address.is_v4(), workers);
  buffers_ = buffers_of(listener.fds.front());
  return Unit{};
}

Status SocketSet::prepare(std::uint16_t queue, const Port::WorkerContext& context) {
  const std::uint32_t capacity = context.sockets + static_cast<std::uint32_t>(kLanes * listeners_.size());
  auto made = SocketQueue::create(capacity, context.mbufs, options_, *context.block, context.wake);
  if (!made) return Error{made.error()};
  if (queues_.size() <= queue) queues_.resize(queue + 1u);
  queues_[queue] = std::move(*made);
  for (Listener& listener : listeners_) {
    for (int& fd : std::span(listener.fds).subspan(kLanes * queue, kLanes)) {
      if (auto added = queues_[queue]->add_listener(std::exchange(fd, -1), listener.local); !added) {
        return Error{wire::to_string(listener.local) + ": " + added.error()};
      }
    }
  }
  return Unit{};
}

std::string SocketSet::buffers_note() const {
  return "socket buffers: " + std::to_string(buffers_.receive >> 10) + " KiB to receive, " +
         std::to_string(buffers_.send >> 10) + " KiB to send" +
         (buffers_.receive < kEnoughBufferBytes ? "; bursts need more: sysctl -p scripts/turnpike-sysctl.conf"
                                                : "");
}

Result<std::unique_ptr<ManagedPort>> SocketPort::open(const PortSpec& spec, std::uint16_t index,
                                                      std::uint16_t workers, std::shared_ptr<SocketSet> set,
                                                      bool first) {
  std::unique_ptr<SocketPort> port(new SocketPort);
  if (auto listening = set->listen(spec.listening, workers); !listening) {
    return Error{"port=" + spec.text + ": " + listening.error()};
  }
  port->set_ = std::move(set);
  port->first_ = first;
  port->index = index;
  port->name = spec.text;
  port->kind = shm::PortKind::kSocket;
  port->rx_queues = port->tx_queues = workers;
  port->socket_id = -1;
  return std::unique_ptr<ManagedPort>(std::move(port));
}

}  // namespace turnpike::dataplane
