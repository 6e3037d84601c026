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

#include "bench/load/sockets/dtls_connection.hpp"
#include "bench/load/sockets/stream_connection.hpp"

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
      sockets_(options.sessions),
      connections_(options.sessions) {
  if (options.sockets.transport == ClientTransport::kTls) tls_ = make_tls_context();
  if (options.sockets.transport == ClientTransport::kDtls) tls_ = make_dtls_context();
}

ClientSockets::~ClientSockets() { ::close(epoll_); }

Status ClientSockets::open_socket(std::uint32_t client) {
  if (options_.sockets.transport != ClientTransport::kUdp) return open_connection(client);
  auto opened = UdpSocket::open(endpoint(client));
  if (!opened) return Error{opened.error()};
  if (auto connected = opened->connect(options_.server); !connected) return Error{connected.error()};
  sockets_[client] = std::move(*opened);
  return Unit{};
}

Status ClientSockets::open_connection(std::uint32_t client) {
  const wire::Endpoint& local = endpoint(client);
  if (options_.sockets.transport == ClientTransport::kDtls) {
    auto opened = DtlsConnection::open(local, options_.server, tls_.get(), options_.sockets.receive_buffer);
    if (!opened) return Error{opened.error()};
    connections_[client] = std::move(*opened);
    return Unit{};
  }
  auto opened =
      StreamConnection::open(local, options_.server, tls_.get(), options_.sockets.deaf ? kDeafBuffer : 0);
  if (!opened) return Error{opened.error()};
  connections_[client] = std::move(*opened);
  return Unit{};
}

Status ClientSockets::open(std::uint32_t client) {
  if (is_open(client)) return Unit{};
  if (auto opened = open_socket(client); !opened) return opened;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = client;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd(client), &event) != 0) {
    return Error{std::string("epoll: ") + std::strerror(errno)};
  }
  ++open_;
  return Unit{};
}

void ClientSockets::close(std::uint32_t client) {
  if (!is_open(client)) return;
  connections_[client].reset();
  sockets_[client].close();
  --open_;
}

Status ClientSockets::send(std::uint32_t client, Bytes message) {
  if (auto opened = open(client); !opened) return opened;
  // An earlier ICMP error is told here, or the buffer is full: the request is repeated in either case.
  if (ClientConnection* connection = this->connection(client)) {
    const std::size_t size = message.size();
    static_cast<void>(connection->send(message, {&size, 1}));
  } else {
    static_cast<void>(::send(fd(client), message.data(), message.size(), 0));
  }
  return Unit{};
}

void ClientSockets::receive(const Take& take) {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kWaitMs);
  for (int i = 0; i < count; ++i) {
    const std::uint32_t client = events[static_cast<std::size_t>(i)].data.u32;
    ClientConnection* connection = this->connection(client);
    if (connection == nullptr) {
      receive_datagrams(client, take);
    } else if (!connection->receive([&](Bytes message) { take(client, message); })) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, connection->fd(), nullptr);  // closed; requests find no answer
    }
  }
}

void ClientSockets::receive_datagrams(std::uint32_t client, const Take& take) {
  std::array<std::uint8_t, kMaxResponse> buffer;
  // Taking a message may close the socket.
  while (sockets_[client].is_open()) {
    const ssize_t size = recv(sockets_[client].fd(), buffer.data(), buffer.size(), 0);
    if (size < 0) break;
    take(client, Bytes(buffer.data(), static_cast<std::size_t>(size)));
  }
}

void ClientSockets::rest(std::uint32_t client) {
  if (open_ > keep_ && sockets_[client].is_open()) close(client);
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
