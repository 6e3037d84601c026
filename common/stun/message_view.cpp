// SPDX-License-Identifier: BSD-3-Clause
// The checks of RFC 8489 section 6.3 on a received message, in the order of the RFC.
#include "common/stun/message_view.hpp"

#include <algorithm>

#include "common/stun/crc32.hpp"

namespace turnpike::stun {

using wire::load_be16;
using wire::load_be32;

ParseError MessageView::parse(Bytes datagram, MessageView& view) noexcept {
  if (datagram.size() < kHeaderSize) return ParseError::kTooShort;
  const std::uint8_t* header = datagram.data();
  if ((header[0] & 0xC0) != 0) return ParseError::kNotStun;
  if (load_be32(header + 4) != kMagicCookie) return ParseError::kBadCookie;
  const std::size_t length = load_be16(header + 2);
  if (length % 4 != 0 || kHeaderSize + length != datagram.size()) return ParseError::kBadLength;
  view.reset(datagram);
  return view.walk();
}

// Leaves unknown_ as it is: its count says how much of it is valid.
void MessageView::reset(Bytes datagram) noexcept {
  bytes_ = datagram;
  limit_ = 0;
  integrity_offset_ = 0;
  integrity_sha256_offset_ = 0;
  unknown_count_ = 0;
  has_fingerprint_ = false;
}

// Sizes are multiples of four throughout, so a TLV header that begins before the end is wholly there.
ParseError MessageView::walk() noexcept {
  const std::size_t end = bytes_.size();
  for (std::size_t offset = kHeaderSize; offset < end;) {
    const std::uint16_t code = load_be16(bytes_.data() + offset);
    const std::size_t next =
        offset + kAttributeHeaderSize + padded_size(load_be16(bytes_.data() + offset + 2));
    if (next > end) return ParseError::kAttributeOverrun;
    if (code == static_cast<std::uint16_t>(Attribute::kFingerprint)) {
      if (next != end) return ParseError::kFingerprintNotLast;
      return check_fingerprint(offset);
    }
    note(code, offset);
    offset = next;
  }
  if (!has_integrity()) limit_ = static_cast<std::uint32_t>(end);
  return ParseError::kNone;
}

void MessageView::note(std::uint16_t code, std::size_t offset) noexcept {
  const auto attribute = static_cast<Attribute>(code);
  const auto at = static_cast<std::uint32_t>(offset);
  if (!has_integrity()) {
    if (attribute == Attribute::kMessageIntegrity) {
      integrity_offset_ = limit_ = at;
    } else if (attribute == Attribute::kMessageIntegritySha256) {
      integrity_sha256_offset_ = limit_ = at;
    } else if (is_comprehension_required(code) && !is_known(code)) {
      note_unknown(code);
    }
  } else if (attribute == Attribute::kMessageIntegritySha256 && integrity_sha256_offset_ == 0) {
    integrity_sha256_offset_ = at;
  }
}

void MessageView::note_unknown(std::uint16_t code) noexcept {
  if (unknown_count_ == kMaxUnknown) return;
  const auto listed = unknown_required();
  if (std::find(listed.begin(), listed.end(), code) == listed.end()) unknown_[unknown_count_++] = code;
}

// RFC 8489 section 14.7. The header's length counts the attribute: the CRC runs over the bytes as they are.
ParseError MessageView::check_fingerprint(std::size_t offset) noexcept {
  const Bytes value = value_at(offset);
  if (value.size() != 4) return ParseError::kBadFingerprint;
  if (load_be32(value.data()) != (crc32(bytes_.first(offset)) ^ kFingerprintXor))
    return ParseError::kBadFingerprint;
  has_fingerprint_ = true;
  if (!has_integrity()) limit_ = static_cast<std::uint32_t>(offset);
  return ParseError::kNone;
}

std::optional<Bytes> MessageView::find(Attribute attribute) const noexcept {
  for (std::size_t offset = kHeaderSize; offset < limit_;) {
    const Bytes value = value_at(offset);
    if (load_be16(bytes_.data() + offset) == static_cast<std::uint16_t>(attribute)) return value;
    offset += kAttributeHeaderSize + padded_size(value.size());
  }
  return std::nullopt;
}

}  // namespace turnpike::stun
