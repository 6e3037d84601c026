// SPDX-License-Identifier: BSD-3-Clause
// The server's keys for its nonces, changed from time to time.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/crypto.hpp"
#include "common/base/time.hpp"
#include "common/stun/nonce.hpp"
#include "common/turn/effects.hpp"

namespace turnpike::turn {

class NonceKeys {
public:
  // `fleet_key`: a secret that several servers share, so that each takes the nonces of the others. The keys
  // then follow from it and the day, and nonces tell the time of the wall clock. Empty: keys of our own, at
  // random.
  explicit NonceKeys(Crypto& crypto, std::string fleet_key = {});

  // How many seconds the wall clock is ahead of ours.
  void set_wall_clock(seconds ahead) { ahead_ = ahead; }
  // What is to be added to our seconds for those in a nonce.
  seconds nonce_seconds() const { return fleet_key_.empty() ? seconds(0) : ahead_; }

  stun::Nonce issue(const FiveTuple& client, stun::NonceFeatures features, Time now);

  // Nothing when the nonce is not one that this server gave to this client (address, port and transport).
  struct Genuine {
    Time age{};
    stun::NonceFeatures features;
  };
  std::optional<Genuine> check(const FiveTuple& client, std::string_view nonce, Time now);

  // The first one makes nonces, those made with either are genuine.
  const std::array<SipKey, 2>& keys(Time now);

  // As above, and when they are changed next.
  struct State {
    std::array<SipKey, 2> keys{};
    Time rotated_at{};
    friend bool operator==(const State&, const State&) noexcept = default;
  };
  State state(Time now);
  // Those of a former server, whose nonces stay good.
  void resume(const State& state);

private:
  static constexpr Time kRotation = std::chrono::hours(24);

  void rotate(Time now);
  void follow_the_day(Time now);
  SipKey key_of(std::int64_t day);

  Crypto& crypto_;
  // The current one, and the one before it, still accepted: a nonce issued just before the change must live
  // out its time.
  std::array<SipKey, 2> keys_;
  std::optional<Time> rotated_at_;
  const std::string fleet_key_;
  seconds ahead_{};
  std::int64_t day_ = 0;  // since 1970, of keys_[0] in a fleet
};

}  // namespace turnpike::turn
