// SPDX-License-Identifier: BSD-3-Clause
// Opening on demand, epoll, and one message at a time.
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
constexpr int kDeafBuffer = 16 << 10;  // soon full

}  // namespace

ClientSockets::ClientSockets(const Options& options, const std::vector<Session>& sessions, std::size_t keep)
    : options_(options),
      sessions_(sessions),
      keep_(keep),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      sockets_(sessions.size()),
      streams_(sessions.size()) {
  if (options.sockets.transport == ClientTransport::kTls) tls_ = make_tls_context();
}

ClientSockets::~ClientSockets() { ::close(epoll_); }

Status ClientSockets::open_socket(std::uint32_t session) {
  if (options_.sockets.transport != ClientTransport::kUdp) {
    auto opened = StreamConnection::open(sessions_[session].client, options_.server, tls_.get(),
                                         options_.sockets.deaf ? kDeafBuffer : 0);
    if (!opened) return Error{opened.error()};
    streams_[session] = std::move(*opened);
    return Unit{};
  }
  auto opened = UdpSocket::open(sessions_[session].client);
  if (!opened) return Error{opened.error()};
  if (auto connected = opened->connect(options_.server); !connected) return Error{connected.error()};
  sockets_[session] = std::move(*opened);
  return Unit{};
}

Status ClientSockets::open(std::uint32_t session) {
  if (auto opened = open_socket(session); !opened) return opened;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = session;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd(session), &event) != 0) {
    return Error{std::string("epoll: ") + std::strerror(errno)};
  }
  ++open_;
  return Unit{};
}

Status ClientSockets::send(std::uint32_t session, Bytes message) {
  if (!is_open(session)) {
    if (auto opened = open(session); !opened) return opened;
  }
  // An earlier ICMP error is told here, or the buffer is full: the request is repeated in either case.
  if (StreamConnection* connection = stream(session)) {
    static_cast<void>(connection->send(message));
  } else {
    static_cast<void>(::send(fd(session), message.data(), message.size(), 0));
  }
  return Unit{};
}

void ClientSockets::receive(const Take& take) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kWaitMs);
  for (int i = 0; i < count; ++i) {
    const std::uint32_t session = events[static_cast<std::size_t>(i)].data.u32;
    StreamConnection* connection = stream(session);
    if (connection == nullptr) {
      receive_datagrams(session, take);
    } else if (!connection->receive([&](Bytes message) { take(session, message); })) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, connection->fd(), nullptr);  // closed; requests find no answer
    }
  }
}

void ClientSockets::receive_datagrams(std::uint32_t session, const Take& take) {
  std::array<std::uint8_t, kMaxResponse> buffer;
  // Taking a message may close the socket.
  while (sockets_[session].is_open()) {
    const ssize_t size = recv(sockets_[session].fd(), buffer.data(), buffer.size(), 0);
    if (size < 0) break;
    take(session, Bytes(buffer.data(), static_cast<std::size_t>(size)));
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
