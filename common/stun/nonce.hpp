// SPDX-License-Identifier: BSD-3-Clause
// Stateless nonces (RFC 8489 section 9.2, RFC 8656 section 5): nothing is remembered for who has not
// authenticated. Both processes make them and check them.
//
//   "obMatJos2" + 4 characters of feature bits, then base64url of
//   | seconds (4) | SipHash-2-4(key, feature bits, seconds, client address, port, transport) (8) |
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "common/base/siphash.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::stun {

// RFC 8489 section 18.1; bit 0 is the most significant one.
struct NonceFeatures {
  bool password_algorithms = false;  // bit 0: PASSWORD-ALGORITHMS came with this nonce
  bool username_anonymity = false;   // bit 1: USERHASH is understood
};

// Whom a nonce is for. The transport's number has no meaning here, it only has to be the same both times.
struct NonceClient {
  wire::Endpoint endpoint;
  std::uint8_t transport = 0;
};

inline constexpr std::size_t kNonceSize = 29;
using Nonce = std::array<char, kNonceSize>;

// `seconds` of CLOCK_MONOTONIC: those who make and those who check are on one machine.
Nonce make_nonce(const SipKey& key, const NonceClient& client, NonceFeatures features,
                 std::uint32_t seconds) noexcept;

// What stands in a nonce that one of `keys` made for this client; nothing for any other.
struct GenuineNonce {
  std::uint32_t seconds = 0;
  NonceFeatures features;
};
std::optional<GenuineNonce> read_nonce(std::span<const SipKey> keys, const NonceClient& client,
                                       std::string_view nonce) noexcept;

}  // namespace turnpike::stun
