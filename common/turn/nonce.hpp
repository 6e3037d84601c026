// SPDX-License-Identifier: BSD-3-Clause
// Stateless nonces (RFC 8489 section 9.2, RFC 8656 section 5): nothing is remembered for who has not
// authenticated.
//
//   "obMatJos2" + 4 characters of feature bits, then base64url of
//   | seconds (4) | first 12 bytes of HMAC-SHA256(key, feature bits, seconds, client address, port,
//   transport) |
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/crypto.hpp"
#include "common/base/time.hpp"
#include "common/turn/effects.hpp"

namespace turnpike::turn {

// RFC 8489 section 18.1; bit 0 is the most significant one.
struct NonceFeatures {
  bool password_algorithms = false;  // bit 0: PASSWORD-ALGORITHMS came with this nonce
  bool username_anonymity = false;   // bit 1: USERHASH is understood
};

class NonceKeys {
public:
  static constexpr std::size_t kNonceSize = 35;

  explicit NonceKeys(Crypto& crypto);

  std::array<char, kNonceSize> issue(const FiveTuple& client, NonceFeatures features, Time now);

  // Nothing when the nonce is not one that this server gave to this client (address, port and transport).
  struct Genuine {
    Time age{};
    NonceFeatures features;
  };
  std::optional<Genuine> check(const FiveTuple& client, std::string_view nonce, Time now);

private:
  static constexpr Time kRotation = std::chrono::hours(24);
  using Key = std::array<std::uint8_t, 32>;
  using Mac = std::array<std::uint8_t, 12>;

  void rotate(Time now);
  Mac mac(const Key& key, std::uint32_t seconds, std::uint8_t features, const FiveTuple& client);

  Crypto& crypto_;
  Key current_;
  Key previous_;  // still accepted: a nonce issued just before the rotation must live out its time
  std::optional<Time> rotated_at_;
};

}  // namespace turnpike::turn
