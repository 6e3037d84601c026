// SPDX-License-Identifier: BSD-3-Clause
// OpenSSL on a connected socket: a record is a datagram.
#include "bench/load/sockets/dtls_connection.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "common/wire/socket_address.hpp"

namespace turnpike::load {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr int kLookMs = 50;  // for flights to repeat: OpenSSL's own timer begins at a second
constexpr long kMtu = 1400;
constexpr std::size_t kMaxRecord = 16 << 10;

}  // namespace

Result<std::unique_ptr<DtlsConnection>> DtlsConnection::open(const wire::Endpoint& local,
                                                             const wire::Endpoint& server, SSL_CTX* context,
                                                             std::uint32_t buffers) {
  auto socket = UdpSocket::open(local);
  if (!socket) return Error{socket.error()};
  if (auto connected = socket->connect(server); !connected) return Error{connected.error()};
  if (buffers != 0) {
    if (auto sized = socket->set_buffers(buffers); !sized) return Error{sized.error()};
  }
  SSL* tls = SSL_new(context);
  BIO* bio = BIO_new_dgram(socket->fd(), BIO_NOCLOSE);
  if (tls == nullptr || bio == nullptr) return Error{"DTLS: out of memory"};
  wire::SocketAddress address;
  wire::to_kernel(server, address);
  BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &address.any);
  SSL_set_bio(tls, bio, bio);
  SSL_set_connect_state(tls);
  SSL_set_mtu(tls, kMtu);
  std::unique_ptr<DtlsConnection> made(new DtlsConnection(std::move(*socket), tls));
  if (auto done = made->shake_hands(); !done) return Error{to_string(server) + ": " + done.error()};
  return made;
}

Status DtlsConnection::shake_hands() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    if (result == 1) return Unit{};
    if (SSL_get_error(tls_.get(), result) != SSL_ERROR_WANT_READ && errno != ECONNREFUSED) {
      return Error{"the DTLS handshake failed"};
    }
    pollfd readable{fd(), POLLIN, 0};
    poll(&readable, 1, kLookMs);
    DTLSv1_handle_timeout(tls_.get());
  }
  return Error{"no answer in the DTLS handshake"};
}

unsigned DtlsConnection::send(Bytes messages, std::span<const std::size_t> sizes) {
  for (unsigned sent = 0; sent < sizes.size(); ++sent) {
    ERR_clear_error();
    // A record that the socket has no room for is dropped: nothing waits behind it.
    if (SSL_write(tls_.get(), messages.data(), static_cast<int>(sizes[sent])) <= 0) return sent;
    messages = messages.subspan(sizes[sent]);
  }
  return static_cast<unsigned>(sizes.size());
}

bool DtlsConnection::receive(const std::function<void(Bytes message)>& take) {
  std::array<std::uint8_t, kMaxRecord> buffer;
  while (true) {
    ERR_clear_error();
    errno = 0;
    const int size = SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (size > 0) {
      take(Bytes(buffer.data(), static_cast<std::size_t>(size)));
      continue;
    }
    const int error = SSL_get_error(tls_.get(), size);
    return error == SSL_ERROR_WANT_READ || (error == SSL_ERROR_SYSCALL && errno == ECONNREFUSED);
  }
}

TlsContextPointer make_dtls_context() {
  TlsContextPointer context(SSL_CTX_new(DTLS_client_method()));
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), DTLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace turnpike::load
