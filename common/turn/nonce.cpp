// SPDX-License-Identifier: BSD-3-Clause
// Nonces with the keys of the day.
#include "common/turn/nonce.hpp"

namespace turnpike::turn {

namespace {

std::uint32_t whole_seconds(Time time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(time).count());
}

stun::NonceClient client_of(const FiveTuple& tuple) {
  return {tuple.client, static_cast<std::uint8_t>(tuple.transport)};
}

}  // namespace

NonceKeys::NonceKeys(Crypto& crypto) : crypto_(crypto) {
  for (SipKey& key : keys_) crypto_.random(key);
}

void NonceKeys::rotate(Time now) {
  if (!rotated_at_) rotated_at_ = now;
  if (now - *rotated_at_ < kRotation) return;
  keys_[1] = keys_[0];
  crypto_.random(keys_[0]);
  rotated_at_ = now;
}

const std::array<SipKey, 2>& NonceKeys::keys(Time now) {
  rotate(now);
  return keys_;
}

NonceKeys::State NonceKeys::state(Time now) {
  rotate(now);
  return {keys_, *rotated_at_};
}

void NonceKeys::resume(const State& state) {
  keys_ = state.keys;
  rotated_at_ = state.rotated_at;
}

stun::Nonce NonceKeys::issue(const FiveTuple& client, stun::NonceFeatures features, Time now) {
  rotate(now);
  return stun::make_nonce(keys_[0], client_of(client), features, whole_seconds(now));
}

std::optional<NonceKeys::Genuine> NonceKeys::check(const FiveTuple& client, std::string_view nonce,
                                                   Time now) {
  rotate(now);
  const auto genuine = stun::read_nonce(keys_, client_of(client), nonce);
  if (!genuine) return std::nullopt;
  const std::uint32_t current = whole_seconds(now);
  return Genuine{seconds(current > genuine->seconds ? current - genuine->seconds : 0), genuine->features};
}

}  // namespace turnpike::turn
