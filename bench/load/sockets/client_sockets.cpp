// SPDX-License-Identifier: BSD-3-Clause
// Opening on demand, epoll, and one datagram at a time.
#include "bench/load/sockets/client_sockets.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace turnpike::load {
namespace {

constexpr int kWaitMs = 1;
constexpr std::size_t kMaxResponse = 2048;

}  // namespace

ClientSockets::ClientSockets(const Options& options, const std::vector<Session>& sessions, std::size_t keep)
    : options_(options),
      sessions_(sessions),
      keep_(keep),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      sockets_(sessions.size()) {}

ClientSockets::~ClientSockets() { ::close(epoll_); }

Status ClientSockets::open(std::uint32_t session) {
  auto opened = UdpSocket::open(sessions_[session].client);
  if (!opened) return Error{opened.error()};
  if (auto connected = opened->connect(options_.server); !connected) return Error{connected.error()};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = session;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, opened->fd(), &event) != 0) {
    return Error{std::string("epoll: ") + std::strerror(errno)};
  }
  sockets_[session] = std::move(*opened);
  ++open_;
  return Unit{};
}

Status ClientSockets::send(std::uint32_t session, Bytes message) {
  UdpSocket& socket = sockets_[session];
  if (!socket.is_open()) {
    if (auto opened = open(session); !opened) return opened;
  }
  // An earlier ICMP error is told here, or the buffer is full: the request is repeated in either case.
  static_cast<void>(::send(socket.fd(), message.data(), message.size(), 0));
  return Unit{};
}

void ClientSockets::receive(const Take& take) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kWaitMs);
  std::array<std::uint8_t, kMaxResponse> buffer;
  for (int i = 0; i < count; ++i) {
    const std::uint32_t session = events[static_cast<std::size_t>(i)].data.u32;
    // Taking a message may close the socket.
    while (sockets_[session].is_open()) {
      const ssize_t size = recv(sockets_[session].fd(), buffer.data(), buffer.size(), 0);
      if (size < 0) break;
      take(session, Bytes(buffer.data(), static_cast<std::size_t>(size)));
    }
  }
}

void ClientSockets::rest(std::uint32_t session) {
  if (open_ <= keep_ || !sockets_[session].is_open()) return;
  sockets_[session].close();
  --open_;
}

void raise_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  // Only root may raise the hard limit; the others take what there is.
  const rlimit raised{wanted, std::max<rlim_t>(wanted, limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace turnpike::load
