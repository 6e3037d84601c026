// SPDX-License-Identifier: BSD-3-Clause
// The ladder, one function a rung.
#include "common/turn/credentials.hpp"

#include <algorithm>

#include "common/base/constant_time.hpp"
#include "common/stun/challenge.hpp"
#include "common/turn/response.hpp"

namespace turnpike::turn {

namespace {

using stun::Attribute;
using stun::ErrorCode;
using stun::IntegrityKind;
using stun::MessageView;
using stun::PasswordAlgorithm;

// Old nonces stay good for this long after the client was told a new one: its other requests are on the way.
constexpr Time kNonceGrace = seconds(60);

std::optional<std::string_view> text(const MessageView& message, Attribute attribute) {
  const auto value = message.find(attribute);
  return value ? stun::decode_text(*value) : std::nullopt;
}

// A3. Nothing: inconsistent. What the cookie says decides whether the list was offered with this nonce;
// whoever removes or shortens it on the way (bid-down, RFC 8489 section 9.2.1) is found out here.
std::optional<PasswordAlgorithm> chosen_algorithm(const MessageView& message, stun::NonceFeatures features) {
  const auto list = message.find(Attribute::kPasswordAlgorithms);
  const auto choice = message.find(Attribute::kPasswordAlgorithm);
  if (!features
           .password_algorithms) {  // not offered: what the client says has no meaning, except a plain choice
    const auto algorithm = choice ? stun::decode_password_algorithm(*choice) : std::nullopt;
    return algorithm == PasswordAlgorithm::kSha256 ? PasswordAlgorithm::kSha256 : PasswordAlgorithm::kMd5;
  }
  if (!list && !choice) return PasswordAlgorithm::kMd5;
  if (!list || !choice) return std::nullopt;
  if (!std::equal(list->begin(), list->end(), kOfferedAlgorithmsValue.begin(),
                  kOfferedAlgorithmsValue.end())) {
    return std::nullopt;
  }
  const auto algorithm = stun::decode_password_algorithm(*choice);
  if (!algorithm) return std::nullopt;
  const bool offered = std::find(stun::kOfferedAlgorithms.begin(), stun::kOfferedAlgorithms.end(),
                                 *algorithm) != stun::kOfferedAlgorithms.end();
  return offered ? algorithm : std::nullopt;
}

using Kind = UserAnswer::Kind;

bool is_decided(const UserAnswer& answer) {
  return answer.kind == Kind::kFound || answer.kind == Kind::kUnknown;
}

// Nothing: USERNAME and USERHASH name different users.
std::optional<UserAnswer> find_user(const Service& service, const Request& request, std::string_view realm) {
  const MessageView& message = request.message;
  const Time now = request.step.now;
  UserAnswer by_name;
  if (const auto username = text(message, Attribute::kUsername)) {
    by_name = service.users.find(realm, *username, now);
    if (!is_decided(by_name)) return by_name;
  }
  const auto hash_value = message.find(Attribute::kUserhash);
  if (!hash_value) return by_name;
  const auto hash = stun::decode_userhash(*hash_value);
  const UserAnswer by_hash = hash ? service.users.find_by_hash(realm, *hash, now) : UserAnswer{};
  if (!message.has(Attribute::kUsername) || !is_decided(by_hash)) return by_hash;
  const bool same = by_name.kind == by_hash.kind &&
                    (by_name.keys.empty() || by_name.keys.front().name == by_hash.keys.front().name);
  return same ? std::optional(by_name) : std::nullopt;
}

// The key of those that the message was made with, and whose it is.
struct Proof {
  const UserKeys* user = nullptr;
  Bytes key;
};

Proof prove(const Service& service, const MessageView& message, std::span<const UserKeys> candidates,
            bool sha256) {
  for (const UserKeys& keys : candidates) {
    if (sha256 && !keys.sha256) continue;
    const Bytes key = sha256 ? Bytes(*keys.sha256) : Bytes(keys.md5);
    if (stun::verify_integrity(service.crypto, message, key)) return {&keys, key};
  }
  return {};
}

void set_key(ReplyContext& reply, Bytes key) {
  reply.key_size = static_cast<std::uint8_t>(key.size());
  std::copy(key.begin(), key.end(), reply.key.begin());
}

// The response's integrity follows the request: SHA-256 when it named an algorithm and used that attribute.
IntegrityKind response_integrity(const MessageView& message) {
  const bool named =
      message.has(Attribute::kPasswordAlgorithm) || message.has(Attribute::kPasswordAlgorithms);
  return named && message.integrity_sha256_offset() != 0 ? IntegrityKind::kSha256 : IntegrityKind::kSha1;
}

// Firefox deletes its allocation with one request that it never repeats, and libwebrtc answers a 438 to it
// with a plain Refresh: any genuine nonce will do there, or the allocation would linger.
bool deletes(const MessageView& message) {
  if (message.method() != stun::Method::kRefresh) return false;
  const auto value = message.find(Attribute::kLifetime);
  return value && stun::decode_lifetime(*value) == 0u;
}

// A client that got this far has a nonce of ours: its address is its own. `user` serves when it sent only a
// USERHASH.
Denial failed(Service& service, const Request& request, AuthenticationFailure why,
              std::string_view user = {}) {
  const auto realm = text(request.message, Attribute::kRealm);
  const auto name = text(request.message, Attribute::kUsername);
  service.observer.on_authentication_failure({request.from, realm.value_or(""), name.value_or(user)}, why);
  return {ErrorCode::kUnauthenticated};
}

bool is_stale(Service& service, Request& request, Time age) {
  if (age <= service.config.nonce_lifetime || deletes(request.message)) return false;
  Allocation* allocation = service.sessions.find(request.from, request.step);
  if (allocation == nullptr) return true;
  if (request.step.now - allocation->nonce_announced <= kNonceGrace) return false;
  allocation->nonce_announced = request.step.now;
  return true;
}

}  // namespace

Denial authenticate(Service& service, Request& request) {
  const MessageView& message = request.message;
  if (!message.has_integrity()) return {ErrorCode::kUnauthenticated};  // A1

  const auto realm = text(message, Attribute::kRealm);  // A2
  const auto nonce = text(message, Attribute::kNonce);
  const bool named = message.has(Attribute::kUsername) || message.has(Attribute::kUserhash);
  if (!named || !realm || !nonce) return {ErrorCode::kBadRequest};

  const auto genuine = service.nonces.check(request.from, *nonce, request.step.now);
  if (!genuine) return {ErrorCode::kStaleNonce};

  const auto algorithm = chosen_algorithm(message, genuine->features);  // A3
  if (!algorithm) return {ErrorCode::kBadRequest};

  const Realm* known = service.users.realm(*realm);  // A4
  if (known == nullptr) return failed(service, request, AuthenticationFailure::kWrongRealm);
  const auto answer = find_user(service, request, known->name);
  if (!answer) return {ErrorCode::kBadRequest};
  if (answer->kind == Kind::kPending) return {std::nullopt, answer->lookup};
  if (answer->kind == Kind::kFailed) return {ErrorCode::kServerError};
  if (answer->keys.empty()) return failed(service, request, AuthenticationFailure::kUnknownUser);

  const bool sha256 = *algorithm == PasswordAlgorithm::kSha256;  // A5
  const Proof proof = prove(service, message, answer->keys, sha256);
  if (proof.user == nullptr) {
    const UserKeys& first = answer->keys.front();
    const bool no_key = sha256 && !first.sha256;
    return failed(service, request,
                  no_key ? AuthenticationFailure::kNoSha256Key : AuthenticationFailure::kWrongPassword,
                  first.name);
  }

  if (is_stale(service, request, genuine->age)) return {ErrorCode::kStaleNonce};  // A6

  const UserKeys& user = *proof.user;
  request.user = {known->name, user.name, user.account.empty() ? user.name : user.account};
  request.valid_until = user.valid_until;
  request.reply.integrity = response_integrity(message);
  set_key(request.reply, proof.key);
  return {};
}

}  // namespace turnpike::turn
