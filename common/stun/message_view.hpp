// SPDX-License-Identifier: BSD-3-Clause
// A received STUN message, checked once and read in place: accessors stay inside lengths that parse() proved.
#pragma once

#include <optional>

#include "common/base/types.hpp"
#include "common/stun/types.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::stun {

// Why a datagram is not a message: silent drops, one counter each (RFC 8489 section 6.3).
enum class ParseError : std::uint8_t {
  kNone,
  kTooShort,            // under 20 bytes
  kNotStun,             // one of the two top bits is set
  kBadCookie,           // RFC 3489, or no STUN at all
  kBadLength,           // not a multiple of 4, or not the size of the datagram
  kAttributeOverrun,    // an attribute reaches beyond the message
  kFingerprintNotLast,  // RFC 8489 section 14.7
  kBadFingerprint,      // wrong value or size
};

class MessageView {
public:
  // How many different unknown attributes are listed; a response of 548 bytes has no room for many more.
  static constexpr std::size_t kMaxUnknown = 32;

  // Fills `view` when the result is kNone. The view keeps pointing into `datagram`.
  static ParseError parse(Bytes datagram, MessageView& view) noexcept;
  static std::optional<MessageView> parse(Bytes datagram) noexcept {
    MessageView view;
    if (parse(datagram, view) != ParseError::kNone) return std::nullopt;
    return view;
  }

  Bytes bytes() const noexcept { return bytes_; }
  std::uint16_t type() const noexcept { return wire::load_be16(bytes_.data()); }
  Method method() const noexcept { return decode_method(type()); }
  MessageClass message_class() const noexcept { return decode_class(type()); }
  TransactionIdView transaction_id() const noexcept {
    return TransactionIdView(bytes_.data() + 8, kTransactionIdSize);
  }

  // The first occurrence before the integrity attribute. What stands after MESSAGE-INTEGRITY has no effect,
  // except MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, which have accessors of their own (RFC 8489
  // sections 14.5 to 14.7).
  std::optional<Bytes> find(Attribute attribute) const noexcept;
  bool has(Attribute attribute) const noexcept { return find(attribute).has_value(); }

  // visit(std::uint16_t code, Bytes value) for every attribute before the integrity attribute, in order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t offset = kHeaderSize; offset < limit_;) {
      const Bytes value = value_at(offset);
      visit(wire::load_be16(bytes_.data() + offset), value);
      offset += kAttributeHeaderSize + padded_size(value.size());
    }
  }
  // visit(Bytes value) for every occurrence, as XOR-PEER-ADDRESS of CreatePermission needs it.
  template <typename Visit>
  void for_each(Attribute attribute, Visit&& visit) const {
    for_each([&](std::uint16_t code, Bytes value) {
      if (code == static_cast<std::uint16_t>(attribute)) visit(value);
    });
  }

  // Comprehension-required attributes before the integrity attribute that this server does not know, each
  // once, in order of appearance, at most kMaxUnknown.
  std::span<const std::uint16_t> unknown_required() const noexcept {
    return {unknown_.data(), unknown_count_};
  }

  bool has_fingerprint() const noexcept { return has_fingerprint_; }
  bool has_integrity() const noexcept { return integrity_offset_ != 0 || integrity_sha256_offset_ != 0; }
  // Offset of the attribute's header from the first byte of the message, 0 when the attribute is absent.
  std::size_t integrity_offset() const noexcept { return integrity_offset_; }
  std::size_t integrity_sha256_offset() const noexcept { return integrity_sha256_offset_; }
  // The value of the attribute at `offset`, which one of the two accessors above returned (not 0).
  Bytes value_at(std::size_t offset) const noexcept {
    return bytes_.subspan(offset + kAttributeHeaderSize, wire::load_be16(bytes_.data() + offset + 2));
  }

private:
  void reset(Bytes datagram) noexcept;
  ParseError walk() noexcept;
  ParseError check_fingerprint(std::size_t offset) noexcept;
  void note(std::uint16_t code, std::size_t offset) noexcept;
  void note_unknown(std::uint16_t code) noexcept;

  Bytes bytes_;
  std::uint32_t limit_ = 0;  // end of the attributes that count
  std::uint32_t integrity_offset_ = 0;
  std::uint32_t integrity_sha256_offset_ = 0;
  std::uint16_t unknown_count_ = 0;
  bool has_fingerprint_ = false;
  std::array<std::uint16_t, kMaxUnknown> unknown_{};
};

}  // namespace turnpike::stun
