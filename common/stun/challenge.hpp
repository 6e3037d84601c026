// SPDX-License-Identifier: BSD-3-Clause
// What 401 and 438 carry (RFC 8489 section 9.2.4), and not a byte more: whoever gets them has proved nothing
// yet, not even that the address is his own.
#pragma once

#include "common/stun/message_writer.hpp"
#include "common/stun/nonce.hpp"

namespace turnpike::stun {

// In the order of preference, as PASSWORD-ALGORITHMS lists them.
inline constexpr std::array<PasswordAlgorithm, 2> kOfferedAlgorithms = {PasswordAlgorithm::kSha256,
                                                                        PasswordAlgorithm::kMd5};

// Without a reason phrase.
inline void add_challenge(MessageWriter& writer, ErrorCode error, std::string_view realm, const Nonce& nonce,
                          bool offer_algorithms) noexcept {
  writer.add_error(error, {});
  writer.add_text(Attribute::kRealm, realm);
  writer.add_text(Attribute::kNonce, {nonce.data(), nonce.size()});
  if (offer_algorithms) writer.add_password_algorithms(kOfferedAlgorithms);
}

}  // namespace turnpike::stun
