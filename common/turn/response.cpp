// SPDX-License-Identifier: BSD-3-Clause
// Composition of responses.
#include "common/turn/response.hpp"

#include "common/stun/challenge.hpp"

namespace turnpike::turn {

namespace {

std::size_t size_limit(const ReplyContext& reply) { return reply.to.client.address.is_v6() ? 1232 : 548; }

// RFC 8656 section 5 wants SOFTWARE in Allocate and Refresh responses; an unauthenticated client does not get
// it: every byte of a 401 is amplification. Binding success has it (RFC 8489 section 6.3.1.1).
bool wants_software(const Service& service, const ReplyContext& reply, stun::MessageClass message_class) {
  if (service.config.software.empty()) return false;
  const bool trusted = reply.integrity != stun::IntegrityKind::kNone || !service.config.authenticate;
  switch (reply.method) {
    case stun::Method::kAllocate:
    case stun::Method::kRefresh:
      return trusted;
    case stun::Method::kBinding:
      return message_class == stun::MessageClass::kSuccess;
    default:
      return false;
  }
}

std::optional<std::string_view> text(const stun::MessageView& message, stun::Attribute attribute) {
  const auto value = message.find(attribute);
  return value ? stun::decode_text(*value) : std::nullopt;
}

// The realm that the client has named already, if it is ours; else that of the web page it comes from.
const Realm& realm_of(const Service& service, const stun::MessageView& message) {
  const auto named = text(message, stun::Attribute::kRealm);
  const Realm* known = named ? service.users.realm(*named) : nullptr;
  if (known != nullptr) return *known;
  return service.users.realm_for_origin(text(message, stun::Attribute::kOrigin).value_or(std::string_view()));
}

}  // namespace

Response::Response(Service& service, const ReplyContext& reply, stun::MessageClass message_class)
    : service_(service),
      reply_(reply),
      class_(message_class),
      writer_(MutableBytes(buffer_).first(size_limit(reply))) {
  writer_.begin(reply.method, message_class, stun::TransactionIdView(reply.transaction));
}

void Response::send(Effects& effects, const FactSpan& facts) {
  if (wants_software(service_, reply_, class_)) {
    writer_.add_text(stun::Attribute::kSoftware, service_.config.software);
  }
  stun::add_integrity(writer_, reply_.integrity, service_.crypto, reply_.key_bytes());
  if (reply_.fingerprint) writer_.add_fingerprint();
  const Bytes message = writer_.finish();
  if (message.empty()) {
    ++service_.counters.responses_too_big;
    return;
  }
  if (class_ == stun::MessageClass::kSuccess) ++service_.counters.successes;
  if (facts.first != 0) service_.sessions.log(reply_.worker).wait(facts, reply_);
  effects.push(SendReply{reply_.to, reply_.worker, facts.first, facts.last, effects.append(message)});
}

void send_error(Service& service, const Request& request, stun::ErrorCode error) {
  send_error(service, request, error, stun::reason_phrase(error));
}

void send_error(Service& service, const Request& request, stun::ErrorCode error, std::string_view phrase) {
  service.counters.count_error(error);
  Response response(service, request.reply, stun::MessageClass::kError);
  response.writer().add_error(error, phrase);
  response.send(request.step.effects);
}

void send_challenge(Service& service, const Request& request, stun::ErrorCode error) {
  service.counters.count_error(error);
  const Realm& realm = realm_of(service, request.message);
  const bool offer = realm.offers_sha256;
  const auto nonce = service.nonces.issue(request.from, {offer, realm.finds_userhash}, request.step.now);
  Response response(service, request.reply, stun::MessageClass::kError);
  stun::add_challenge(response.writer(), error, realm.name, nonce, offer);
  response.send(request.step.effects);
}

void send_unknown_attributes(Service& service, const Request& request, std::span<const std::uint16_t> codes) {
  service.counters.count_error(stun::ErrorCode::kUnknownAttribute);
  Response response(service, request.reply, stun::MessageClass::kError);
  response.writer().add_error(stun::ErrorCode::kUnknownAttribute);
  response.writer().add_unknown_attributes(codes);
  response.send(request.step.effects);
}

}  // namespace turnpike::turn
