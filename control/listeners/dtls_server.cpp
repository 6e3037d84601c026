// SPDX-License-Identifier: BSD-3-Clause
// Stateless greeting, then sessions by 5-tuple.
#include "control/listeners/dtls_server.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include "common/base/constant_time.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::control {
namespace {

constexpr std::size_t kRecordHeader = 13;
constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kLargestRecord = 16384;

// The start of a handshake: a plain record (epoch 0) with a ClientHello.
bool is_client_hello(Bytes datagram) {
  return datagram.size() > kRecordHeader && datagram[0] == kHandshakeRecord && datagram[1] == 0xFE &&
         wire::load_be16(datagram.data() + 3) == 0 && datagram[kRecordHeader] == kClientHello;
}

turn::FiveTuple tuple_of(const DtlsPath& path) {
  return {wire::ClientEndpoint(path.client), wire::ServerEndpoint(path.server), turn::Transport::kDtls};
}

int server_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

const DtlsServer& server_of(const SSL* tls) {
  return *static_cast<const DtlsServer*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), server_index()));
}

}  // namespace

DtlsServer::DtlsServer(ClientTable& table, ClientHandler& handler, ClientCounters& counters, Crypto& crypto,
                       Admission& admission)
    : table_(table),
      handler_(handler),
      counters_(counters),
      crypto_(crypto),
      admission_(admission),
      buffer_(kLargestRecord) {
  crypto_.random(secret_);
}

DtlsServer::~DtlsServer() {
  for (auto& [tuple, session] : sessions_) {
    session->finish();
    if (session->is_open()) table_.remove(*session);
    admission_.remove_session(tuple.client.address);
  }
}

Status DtlsServer::set_context(std::shared_ptr<TlsContext> context) {
  SSL_CTX* raw = context->get();
  SSL_CTX_set_ex_data(raw, server_index(), this);
  SSL_CTX_set_options(raw, SSL_OP_COOKIE_EXCHANGE | SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_cookie_generate_cb(raw, make_cookie);
  SSL_CTX_set_cookie_verify_cb(raw, check_cookie);
  context_ = std::move(context);
  if (!new_listener()) return Error{"DTLS: out of memory"};
  return Unit{};
}

bool DtlsServer::new_listener() {
  listener_.reset(SSL_new(context_->get()));
  return listener_ != nullptr && listener_bio_.attach(listener_.get());
}

// Whoever returns it hears what is sent to his address (RFC 6347 section 4.2.1).
Sha256Digest DtlsServer::cookie_of(const DtlsPath& path) const {
  std::array<std::uint8_t, 40> text{};
  std::copy(path.client.address.bytes.begin(), path.client.address.bytes.end(), text.begin());
  std::copy(path.server.address.bytes.begin(), path.server.address.bytes.end(), text.begin() + 16);
  wire::store_be16(text.data() + 32, path.client.port);
  wire::store_be16(text.data() + 34, path.server.port);
  text[36] = static_cast<std::uint8_t>(path.client.address.family);
  return crypto_.hmac_sha256(secret_, text, {});
}

int DtlsServer::make_cookie(SSL* tls, unsigned char* cookie, unsigned int* size) {
  const Sha256Digest digest = server_of(tls).cookie_of(DatagramBio::of(tls).path);
  std::copy(digest.begin(), digest.end(), cookie);
  *size = digest.size();
  return 1;
}

int DtlsServer::check_cookie(SSL* tls, const unsigned char* cookie, unsigned int size) {
  const Sha256Digest digest = server_of(tls).cookie_of(DatagramBio::of(tls).path);
  return size == digest.size() && constant_time_equal(digest, Bytes(cookie, size)) ? 1 : 0;
}

void DtlsServer::on_datagram(DtlsRoad& road, const DtlsPath& path, Bytes datagram, Time now) {
  const auto session = sessions_.find(tuple_of(path));
  // A client that begins anew from the same port has lost its session: it proves its address once more (RFC
  // 6347 section 4.2.8).
  const bool anew = session != sessions_.end() && session->second->is_open() && is_client_hello(datagram);
  if (session != sessions_.end() && !anew) return serve(session, datagram, now);
  if (!is_client_hello(datagram)) {
    ++counters_.dtls_stray;
    return;
  }
  if (!is_admitted(admission_.admit_greeting(path.client.address, now), counters_)) return;
  greet(road, path, datagram, now);
}

void DtlsServer::greet(DtlsRoad& road, const DtlsPath& path, Bytes datagram, Time now) {
  listener_bio_.road = &road;
  listener_bio_.path = path;
  listener_bio_.input = datagram;
  ERR_clear_error();
  const std::unique_ptr<BIO_ADDR, decltype(&BIO_ADDR_free)> unused(BIO_ADDR_new(), BIO_ADDR_free);
  const int verified = DTLSv1_listen(listener_.get(), unused.get());
  ERR_clear_error();
  if (verified <= 0) {
    ++counters_.dtls_challenged;
    if (verified < 0) new_listener();
    return;
  }
  if (const auto former = sessions_.find(tuple_of(path)); former != sessions_.end()) {
    remove(former, counters_.closed_by_client, now);
  }
  TlsPointer tls = std::move(listener_);
  const DatagramBio bio = listener_bio_;
  new_listener();
  if (!is_admitted(admission_.add_session(path.client.address, now), counters_)) return;
  auto client = std::make_unique<DtlsClient>(std::move(tls), bio, now);
  const turn::FiveTuple tuple = client->tuple();
  ++handshaking_;
  serve(sessions_.emplace(tuple, std::move(client)).first, {}, now);
}

void DtlsServer::serve(Sessions::iterator session, Bytes datagram, Time now) {
  DtlsClient& client = *session->second;
  const bool was_open = client.is_open();
  const DtlsClient::Outcome outcome = client.take(datagram);
  if (outcome == DtlsClient::Outcome::kHandshaking) return;
  if (outcome == DtlsClient::Outcome::kFailed) return remove(session, counters_.dtls_failed, now);
  if (!was_open) {
    --handshaking_;
    ++counters_.dtls_accepted;
    table_.add(client);
  }
  client.heard = now;
  while (const std::size_t size = client.read(buffer_)) {
    handler_.on_client_message(client.tuple(), Bytes(buffer_).first(size), now);
  }
  if (client.has_ended()) remove(session, counters_.closed_by_client, now);
}

void DtlsServer::remove(Sessions::iterator session, std::uint64_t& counter, Time now) {
  ++counter;
  const std::unique_ptr<DtlsClient> client = std::move(session->second);
  sessions_.erase(session);
  admission_.remove_session(client->path().client.address);
  client->finish();
  if (!client->is_open()) {
    --handshaking_;
    return;
  }
  table_.remove(*client);
  handler_.on_client_gone(client->tuple(), now);
}

void DtlsServer::on_timer(Time now) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto session = at++;
    DtlsClient& client = *session->second;
    if (!client.is_open()) client.on_timer();
    if (client.has_allocation()) client.heard = now;
    const Time limit = client.is_open() ? Time(kIdleTime) : Time(kHandshakeTime);
    if (now - client.heard < limit) continue;
    remove(session, client.is_open() ? counters_.closed_idle : counters_.closed_unfinished, now);
  }
}

}  // namespace turnpike::control
