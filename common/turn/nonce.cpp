// SPDX-License-Identifier: BSD-3-Clause
// Nonces with the keys of the day.
#include "common/turn/nonce.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::turn {

namespace {

std::uint32_t whole_seconds(Time time) {
  return static_cast<std::uint32_t>(std::chrono::floor<seconds>(time).count());
}

stun::NonceClient client_of(const FiveTuple& tuple) {
  return {tuple.client, static_cast<std::uint8_t>(tuple.transport)};
}

}  // namespace

NonceKeys::NonceKeys(Crypto& crypto, std::string fleet_key)
    : crypto_(crypto), fleet_key_(std::move(fleet_key)) {
  for (SipKey& key : keys_) crypto_.random(key);
}

// Servers whose clocks differ by a little disagree for as long at midnight only, and have then the other's
// key as yesterday's or are asked for a new nonce.
void NonceKeys::follow_the_day(Time now) {
  const std::int64_t today = std::chrono::floor<std::chrono::days>(now + ahead_).count();
  if (today == day_) return;
  day_ = today;
  keys_ = {key_of(today), key_of(today - 1)};
}

SipKey NonceKeys::key_of(std::int64_t day) {
  const std::string text = "turnpike nonce key of day " + std::to_string(day);
  const auto bytes = [](const std::string& of) {
    return Bytes(reinterpret_cast<const std::uint8_t*>(of.data()), of.size());
  };
  const Sha256Digest digest = crypto_.hmac_sha256(bytes(fleet_key_), bytes(text), {});
  SipKey key;
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

void NonceKeys::rotate(Time now) {
  if (!fleet_key_.empty()) follow_the_day(now);
  if (!rotated_at_) rotated_at_ = now;
  if (!fleet_key_.empty() || now - *rotated_at_ < kRotation) return;
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
  if (!fleet_key_.empty()) return;
  keys_ = state.keys;
  rotated_at_ = state.rotated_at;
}

stun::Nonce NonceKeys::issue(const FiveTuple& client, stun::NonceFeatures features, Time now) {
  rotate(now);
  return stun::make_nonce(keys_[0], client_of(client), features, whole_seconds(now + nonce_seconds()));
}

std::optional<NonceKeys::Genuine> NonceKeys::check(const FiveTuple& client, std::string_view nonce,
                                                   Time now) {
  rotate(now);
  const auto genuine = stun::read_nonce(keys_, client_of(client), nonce);
  if (!genuine) return std::nullopt;
  const std::uint32_t current = whole_seconds(now + nonce_seconds());
  return Genuine{seconds(current > genuine->seconds ? current - genuine->seconds : 0), genuine->features};
}

}  // namespace turnpike::turn
