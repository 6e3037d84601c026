// SPDX-License-Identifier: BSD-3-Clause
// MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 sections 14.5 and 14.6) over the injected Crypto.
#pragma once

#include "common/base/crypto.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/message_writer.hpp"

namespace turnpike::stun {

enum class IntegrityKind : std::uint8_t { kNone, kSha1, kSha256 };

// Which attribute decides: the SHA-256 one when both are there (RFC 8489 section 9.2.4).
inline IntegrityKind integrity_kind(const MessageView& message) noexcept {
  if (message.integrity_sha256_offset() != 0) return IntegrityKind::kSha256;
  return message.integrity_offset() != 0 ? IntegrityKind::kSha1 : IntegrityKind::kNone;
}

// False when the attribute is absent, of the wrong size or wrong. The SHA-256 value must have all 32 bytes:
// TURN does not allow truncation. Comparison takes constant time.
bool verify_sha1(Crypto& crypto, const MessageView& message, Bytes key) noexcept;
bool verify_sha256(Crypto& crypto, const MessageView& message, Bytes key) noexcept;
// Verifies the attribute that decides.
bool verify_integrity(Crypto& crypto, const MessageView& message, Bytes key) noexcept;

// Appends the attribute; only FINGERPRINT (and the SHA-256 one after the SHA-1 one) may follow.
void add_integrity(MessageWriter& writer, IntegrityKind kind, Crypto& crypto, Bytes key) noexcept;

}  // namespace turnpike::stun
