// SPDX-License-Identifier: BSD-3-Clause
// recv, send and what OpenSSL puts between.
#include "control/listeners/byte_stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>

namespace turnpike::control {
namespace {

using IoStatus = ByteStream::Status;

// Sent bytes in front of the queue are cut off at this size, so that a reader that never quite catches up
// does not make it grow.
constexpr std::size_t kSentAtMost = 16 << 10;

IoStatus after_error(IoStatus blocked) {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return blocked;
  return errno == ECONNRESET || errno == EPIPE || errno == ETIMEDOUT ? IoStatus::kClosed : IoStatus::kFailed;
}

}  // namespace

bool ByteStream::start_tls(SSL_CTX* context, TlsRole role) {
  tls_.reset(SSL_new(context));
  BIO* bio = tls_ ? io_.make_bio() : nullptr;
  if (bio == nullptr) return false;
  SSL_set_bio(tls_.get(), bio, bio);
  role == TlsRole::kServer ? SSL_set_accept_state(tls_.get()) : SSL_set_connect_state(tls_.get());
  return true;
}

IoStatus ByteStream::after_tls(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return IoStatus::kWantRead;
    case SSL_ERROR_ZERO_RETURN:
      return IoStatus::kClosed;
    case SSL_ERROR_SYSCALL:
      ERR_clear_error();
      return IoStatus::kClosed;
    default:
      ERR_clear_error();
      return IoStatus::kFailed;
  }
}

IoStatus ByteStream::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  return result == 1 ? IoStatus::kDone : after_tls(result);
}

ByteStream::Outcome ByteStream::read(MutableBytes into) {
  if (!tls_) {
    const ssize_t size = io_.receive(into.data(), into.size());
    if (size > 0) return {IoStatus::kDone, static_cast<std::size_t>(size)};
    return {size == 0 ? IoStatus::kClosed : after_error(IoStatus::kWantRead)};
  }
  ERR_clear_error();
  std::size_t size = 0;
  const std::size_t before = io_.out.size();
  const int result = SSL_read_ex(tls_.get(), into.data(), into.size(), &size);
  if (io_.out.size() != before) answered_ = true;
  return result == 1 ? Outcome{IoStatus::kDone, size} : Outcome{after_tls(result)};
}

bool ByteStream::write(Bytes message) {
  if (!tls_) {
    io_.out.insert(io_.out.end(), message.begin(), message.end());
    return true;
  }
  ERR_clear_error();
  std::size_t size = 0;
  if (SSL_write_ex(tls_.get(), message.data(), message.size(), &size) == 1) return true;
  ERR_clear_error();
  return false;
}

void ByteStream::finish() {
  if (!tls_ || SSL_is_init_finished(tls_.get()) != 1) return;
  SSL_shutdown(tls_.get());
  ERR_clear_error();
}

IoStatus ByteStream::flush() {
  while (queued() != 0) {
    const ssize_t sent = send(io_.fd, io_.out.data() + io_.out_at, queued(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) {
      const IoStatus status = after_error(IoStatus::kWantWrite);
      if (status != IoStatus::kWantWrite) return IoStatus::kClosed;
      if (io_.out_at >= kSentAtMost) {
        io_.out.erase(io_.out.begin(), io_.out.begin() + static_cast<std::ptrdiff_t>(io_.out_at));
        io_.out_at = 0;
      }
      return status;
    }
    io_.out_at += static_cast<std::size_t>(sent);
  }
  io_.out.clear();
  io_.out_at = 0;
  return IoStatus::kDone;
}

void ByteStream::shrink() {
  if (io_.out.empty()) io_.out.shrink_to_fit();
}

}  // namespace turnpike::control
