// SPDX-License-Identifier: BSD-3-Clause
// The client's messages and what it reads out of replies.
#include "tests/support/turn_client.hpp"

#include <algorithm>
#include <stdexcept>

#include "common/stun/channel_data.hpp"

namespace turnpike::test {

namespace {

std::string text(Bytes value) { return {value.begin(), value.end()}; }

Datagram datagram(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

void read_attribute(Reply& reply, Attribute attribute, Bytes value) {
  const stun::TransactionIdView id(reply.transaction);
  switch (attribute) {
    case Attribute::kErrorCode:
      reply.error = stun::decode_error(value).value().code;
      break;
    case Attribute::kUnknownAttributes:
      stun::decode_unknown_attributes(value, [&](std::uint16_t code) { reply.unknown.push_back(code); });
      break;
    case Attribute::kXorRelayedAddress:
      reply.relayed.push_back(stun::decode_xor_address(value, id).value());
      break;
    case Attribute::kXorMappedAddress:
      reply.mapped = stun::decode_xor_address(value, id).value();
      break;
    case Attribute::kLifetime:
      reply.lifetime = stun::decode_lifetime(value).value();
      break;
    case Attribute::kReservationToken:
      reply.token = stun::decode_reservation_token(value).value();
      break;
    case Attribute::kAddressErrorCode:
      reply.failed_family = stun::decode_address_error(value).value().family;
      reply.failed_code = stun::decode_address_error(value).value().error.code;
      break;
    case Attribute::kRealm:
      reply.realm = text(value);
      break;
    case Attribute::kNonce:
      reply.nonce = text(value);
      break;
    case Attribute::kSoftware:
      reply.software = text(value);
      break;
    case Attribute::kPasswordAlgorithms:
      reply.algorithms = datagram(value);
      break;
    default:
      break;
  }
}

}  // namespace

turn::UserKeys make_keys(Crypto& crypto, const std::string& user, const std::string& realm,
                         const std::string& password) {
  const std::string input = user + ":" + realm + ":" + password;
  turn::UserKeys keys;
  keys.name = user;
  keys.md5 = crypto.md5(as_bytes(input));
  keys.sha256 = crypto.sha256(as_bytes(input));
  return keys;
}

void TestUsers::add_to(Crypto& crypto, const std::string& realm, const std::string& name,
                       const std::string& password) {
  entries_.push_back(
      {realm, make_keys(crypto, name, realm, password), crypto.sha256(as_bytes(name + ":" + realm))});
}

void TestUsers::add(Crypto& crypto, const std::string& name, const std::string& password) {
  add_to(crypto, own.name, name, password);
}

void TestUsers::add_md5_only(Crypto& crypto, const std::string& name, const std::string& password) {
  add(crypto, name, password);
  entries_.back().keys.sha256.reset();
  own.offers_sha256 = false;
}

void TestUsers::remove(const std::string& name) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.keys.name == name; });
}

turn::Realm& TestUsers::add_realm(Crypto& crypto, const std::string& name, const std::string& origin,
                                  const std::string& user, const std::string& password) {
  origins_[origin] = name;
  others_[name].name = name;
  add_to(crypto, name, user, password);
  return others_[name];
}

turn::UserAnswer TestUsers::answer(std::string_view realm,
                                   const std::function<bool(const Entry&)>& is) const {
  for (const Entry& entry : entries_) {
    if (entry.realm == realm && is(entry)) return {turn::UserAnswer::Kind::kFound, {&entry.keys, 1}};
  }
  return {};
}

turn::UserAnswer TestUsers::find(std::string_view realm, std::string_view name, Time) {
  ++lookups;
  if (forced) return *forced;
  if (!candidates.empty() && candidates.front().name == name) {
    return {turn::UserAnswer::Kind::kFound, candidates};
  }
  return answer(realm, [&](const Entry& entry) { return entry.keys.name == name; });
}

turn::UserAnswer TestUsers::find_by_hash(std::string_view realm, const Sha256Digest& userhash, Time) {
  ++lookups;
  if (forced) return *forced;
  return answer(realm, [&](const Entry& entry) { return entry.hash == userhash; });
}

const turn::Realm* TestUsers::realm(std::string_view name) const {
  if (name == own.name) return &own;
  const auto other = others_.find(name);
  return other == others_.end() ? nullptr : &other->second;
}

const turn::Realm& TestUsers::realm_for_origin(std::string_view origin) const {
  const auto found = origins_.find(origin);
  return found == origins_.end() ? own : others_.find(found->second)->second;
}

Reply read_reply(Bytes bytes) {
  const auto view = stun::MessageView::parse(bytes);
  if (!view) throw std::runtime_error("the server sent what is not STUN");
  Reply reply;
  reply.bytes = datagram(bytes);
  reply.method = view->method();
  reply.message_class = view->message_class();
  std::copy_n(view->transaction_id().begin(), stun::kTransactionIdSize, reply.transaction.begin());
  view->for_each(
      [&](std::uint16_t code, Bytes value) { read_attribute(reply, static_cast<Attribute>(code), value); });
  reply.integrity = stun::integrity_kind(*view);
  reply.fingerprint = view->has_fingerprint();
  const bool error = reply.message_class == MessageClass::kError;
  if (!error && reply.message_class != MessageClass::kSuccess) throw std::runtime_error("not a response");
  if (error != (reply.error != 0)) throw std::runtime_error("class and ERROR-CODE disagree");
  return reply;
}

stun::TransactionId TurnClient::transaction() {
  if (next_transaction) return *std::exchange(next_transaction, std::nullopt);
  stun::TransactionId id;
  crypto_.random(id);
  return id;
}

Datagram TurnClient::plain(Method method, MessageClass message_class, const Attributes& attributes) {
  Datagram buffer(66000);
  MessageWriter writer(buffer);
  const auto id = transaction();
  writer.begin(method, message_class, stun::TransactionIdView(id));
  if (attributes) attributes(writer);
  if (fingerprint) writer.add_fingerprint();
  return datagram(writer.finish());
}

Datagram TurnClient::request(Method method, const Attributes& attributes) {
  Datagram buffer(66000);
  MessageWriter writer(buffer);
  const auto id = transaction();
  writer.begin(method, MessageClass::kRequest, stun::TransactionIdView(id));
  if (attributes) attributes(writer);
  if (use_userhash) {
    writer.add(Attribute::kUserhash, crypto_.sha256(as_bytes(user + ":" + realm)));
  } else {
    writer.add_text(Attribute::kUsername, user);
  }
  writer.add_text(Attribute::kRealm, realm);
  writer.add_text(Attribute::kNonce, nonce);
  if (negotiated()) {
    writer.add(Attribute::kPasswordAlgorithms, algorithms);
    writer.add_password_algorithm(algorithm);
  }
  const auto secret = key();
  if (both_integrities) stun::add_integrity(writer, stun::IntegrityKind::kSha1, crypto_, secret);
  stun::add_integrity(writer, both_integrities ? stun::IntegrityKind::kSha256 : integrity_kind(), crypto_,
                      secret);
  if (fingerprint) writer.add_fingerprint();
  return datagram(writer.finish());
}

Datagram TurnClient::send_indication(const wire::Endpoint& peer, Bytes data) {
  return plain(Method::kSend, MessageClass::kIndication, [&](MessageWriter& writer) {
    writer.add_xor_address(Attribute::kXorPeerAddress, peer);
    writer.add(Attribute::kData, data);
  });
}

Datagram TurnClient::channel_data(std::uint16_t number, Bytes data) {
  Datagram buffer(stun::kChannelDataHeaderSize + data.size() + 3);
  const bool stream = tuple.transport == turn::Transport::kTcp || tuple.transport == turn::Transport::kTls;
  return datagram(stun::write_channel_data(
      buffer, number, data, stream ? stun::ChannelPadding::kStream : stun::ChannelPadding::kNone));
}

void TurnClient::learn(const Reply& reply) {
  realm = reply.realm;
  nonce = reply.nonce;
  algorithms = reply.algorithms;
}

std::vector<std::uint8_t> TurnClient::key() {
  const auto keys = make_keys(crypto_, user, realm, password);
  if (negotiated() && algorithm == stun::PasswordAlgorithm::kSha256) {
    return {keys.sha256->begin(), keys.sha256->end()};
  }
  return {keys.md5.begin(), keys.md5.end()};
}

stun::IntegrityKind TurnClient::integrity_kind() const {
  return negotiated() ? stun::IntegrityKind::kSha256 : stun::IntegrityKind::kSha1;
}

bool TurnClient::trusts(const Reply& reply) {
  const auto view = stun::MessageView::parse(Bytes(reply.bytes));
  return view && stun::verify_integrity(crypto_, *view, key());
}

}  // namespace turnpike::test
