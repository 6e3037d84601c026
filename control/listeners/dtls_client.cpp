// SPDX-License-Identifier: BSD-3-Clause
// Handshake and records of one DTLS session.
#include "control/listeners/dtls_client.hpp"

#include <openssl/err.h>

namespace turnpike::control {

DtlsClient::DtlsClient(TlsPointer tls, const DatagramBio& bio, Time now)
    : Client(turn::Transport::kDtls), heard(now), tls_(std::move(tls)), bio_(bio) {
  tuple_.client = wire::ClientEndpoint(bio.path.client);
  tuple_.server = wire::ServerEndpoint(bio.path.server);
  bio_.attach(tls_.get());
}

DtlsClient::Outcome DtlsClient::take(Bytes datagram) {
  bio_.input = datagram;
  if (open_) return Outcome::kOpen;
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) {
    open_ = true;
    return Outcome::kOpen;
  }
  const bool waits = SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return waits ? Outcome::kHandshaking : Outcome::kFailed;
}

std::size_t DtlsClient::read(MutableBytes into) {
  std::size_t size = 0;
  ERR_clear_error();
  if (!ended_ && SSL_read_ex(tls_.get(), into.data(), into.size(), &size) == 1) return size;
  ended_ = ended_ || (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  ERR_clear_error();  // a record that cannot be read is dropped (RFC 6347 section 4.1.2.7)
  return 0;
}

void DtlsClient::on_timer() {
  DTLSv1_handle_timeout(tls_.get());
  ERR_clear_error();
  flush();
}

void DtlsClient::finish() {
  if (!open_) return;
  SSL_shutdown(tls_.get());
  ERR_clear_error();
  flush();
}

void DtlsClient::queue(Bytes message) {
  std::size_t written = 0;
  SSL_write_ex(tls_.get(), message.data(), message.size(), &written);
  ERR_clear_error();
}

}  // namespace turnpike::control
