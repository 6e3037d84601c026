// SPDX-License-Identifier: BSD-3-Clause
// recv, send and their OpenSSL counterparts.
#include "control/listeners/byte_stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>

namespace turnpike::control {
namespace {

using IoStatus = ByteStream::Status;

ByteStream::Outcome after_call(ssize_t result, IoStatus blocked) {
  if (result > 0) return {IoStatus::kDone, static_cast<std::size_t>(result)};
  if (result == 0) return {IoStatus::kClosed};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {blocked};
  return {errno == ECONNRESET || errno == EPIPE || errno == ETIMEDOUT ? IoStatus::kClosed
                                                                      : IoStatus::kFailed};
}

}  // namespace

bool ByteStream::start_tls(SSL_CTX* context) {
  tls_.reset(SSL_new(context));
  if (!tls_ || SSL_set_fd(tls_.get(), fd_) != 1) return false;
  SSL_set_accept_state(tls_.get());
  return true;
}

ByteStream::Outcome ByteStream::after_tls(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {IoStatus::kWantRead};
    case SSL_ERROR_WANT_WRITE:
      return {IoStatus::kWantWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {IoStatus::kClosed};
    case SSL_ERROR_SYSCALL:
      ERR_clear_error();
      return {IoStatus::kClosed};
    default:
      ERR_clear_error();
      return {IoStatus::kFailed};
  }
}

ByteStream::Outcome ByteStream::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  return result == 1 ? Outcome{IoStatus::kDone} : after_tls(result);
}

ByteStream::Outcome ByteStream::read(MutableBytes into) {
  if (!tls_) return after_call(recv(fd_, into.data(), into.size(), MSG_DONTWAIT), IoStatus::kWantRead);
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_read_ex(tls_.get(), into.data(), into.size(), &size);
  return result == 1 ? Outcome{IoStatus::kDone, size} : after_tls(result);
}

ByteStream::Outcome ByteStream::write(Bytes bytes) {
  if (!tls_) {
    return after_call(send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL),
                      IoStatus::kWantWrite);
  }
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &size);
  return result == 1 ? Outcome{IoStatus::kDone, size} : after_tls(result);
}

void ByteStream::finish() {
  if (!tls_ || SSL_is_init_finished(tls_.get()) != 1) return;
  SSL_shutdown(tls_.get());
  ERR_clear_error();
}

}  // namespace turnpike::control
