// SPDX-License-Identifier: BSD-3-Clause
// Connecting, and the product's own byte stream from the other side.
#include "bench/load/sockets/stream_connection.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/wire/socket_address.hpp"

namespace turnpike::load {
namespace {

using Io = control::ByteStream::Status;

constexpr int kHandshakeMs = 5000;
constexpr unsigned kReadsAtOnce = 16;
constexpr std::size_t kReadSize = 64 << 10;

Error failed_with(const wire::Endpoint& endpoint, const char* what) {
  return Error{to_string(endpoint) + ": " + what + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::unique_ptr<StreamConnection>> StreamConnection::open(const wire::Endpoint& local,
                                                                 const wire::Endpoint& server, SSL_CTX* tls,
                                                                 int receive_buffer) {
  const int fd = socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed_with(local, "socket");
  std::unique_ptr<StreamConnection> made(new StreamConnection(fd));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer != 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  wire::SocketAddress address;
  if (const auto size = wire::to_kernel(local, address); bind(fd, &address.any, size) != 0) {
    return failed_with(local, "bind");
  }
  if (const auto size = wire::to_kernel(server, address); connect(fd, &address.any, size) != 0) {
    return failed_with(server, "connect");
  }
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return failed_with(local, "fcntl");
  if (tls != nullptr) {
    if (auto done = made->shake_hands(tls); !done) return Error{to_string(server) + ": " + done.error()};
  }
  return made;
}

StreamConnection::~StreamConnection() { close(fd_); }

Status StreamConnection::shake_hands(SSL_CTX* tls) {
  if (!stream_.start_tls(tls, control::ByteStream::TlsRole::kClient)) return Error{"TLS: out of memory"};
  while (true) {
    stream_.allow_reads(kReadsAtOnce);
    const Io status = stream_.handshake();
    if (stream_.flush() == Io::kClosed) return Error{"closed during the TLS handshake"};
    if (status == Io::kDone) return Unit{};
    if (status != Io::kWantRead) return Error{"the TLS handshake failed"};
    pollfd readable{fd_, POLLIN, 0};
    if (poll(&readable, 1, kHandshakeMs) != 1) return Error{"no answer in the TLS handshake"};
  }
}

unsigned StreamConnection::send(Bytes messages, std::span<const std::size_t> sizes) {
  errno = EAGAIN;
  if (stream_.queued() != 0 && stream_.flush() != Io::kDone) return 0;
  if (!stream_.write(messages)) return 0;
  flush();
  return static_cast<unsigned>(sizes.size());
}

bool StreamConnection::receive(const std::function<void(Bytes message)>& take) {
  std::array<std::uint8_t, kReadSize> buffer;
  stream_.allow_reads(kReadsAtOnce);
  while (true) {
    const auto read = stream_.read(buffer);
    if (read.status != Io::kDone) return read.status == Io::kWantRead;
    Bytes bytes = Bytes(buffer).first(read.size);
    Bytes message;
    auto status = stun::FrameStatus::kMessage;
    while ((status = framer_.next(bytes, message)) == stun::FrameStatus::kMessage) take(message);
    if (status != stun::FrameStatus::kNeedMore) return false;
  }
}

TlsContextPointer make_tls_context() {
  TlsContextPointer context(SSL_CTX_new(TLS_client_method()));
  if (!context) return nullptr;
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

}  // namespace turnpike::load
