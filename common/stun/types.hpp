// SPDX-License-Identifier: BSD-3-Clause
// Methods, classes, attributes and error codes as types, expanded from stun.def; the message type's layout.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace turnpike::stun {

// RFC 8489 section 5. "Length" in the header never counts these 20 bytes.
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+---------------------------+-------------------------------+
//  |0 0|        message type       |         message length        |
//  +-+-+---------------------------+-------------------------------+
//  |                    magic cookie 0x2112A442                    |
//  +---------------------------------------------------------------+
//  |                                                               |
//  |                    transaction id (96 bits)                   |
//  |                                                               |
//  +---------------------------------------------------------------+
inline constexpr std::size_t kHeaderSize = 20;
inline constexpr std::size_t kAttributeHeaderSize = 4;
inline constexpr std::size_t kTransactionIdSize = 12;
inline constexpr std::uint32_t kMagicCookie = 0x2112A442;
inline constexpr std::size_t kMaxMessageLength = 0xFFFC;  // of the length field: a multiple of four
inline constexpr std::size_t kMaxMessageSize = kHeaderSize + kMaxMessageLength;

using TransactionId = std::array<std::uint8_t, kTransactionIdSize>;
using TransactionIdView = std::span<const std::uint8_t, kTransactionIdSize>;

constexpr std::size_t padded_size(std::size_t size) noexcept { return (size + 3) & ~std::size_t{3}; }

enum class MessageClass : std::uint8_t { kRequest = 0, kIndication = 1, kSuccess = 2, kError = 3 };

enum class Method : std::uint16_t {
#define TURNPIKE_STUN_METHOD(enumerator, number, name, defined, accepted) enumerator = number,
#include "common/stun/stun.def"
};

enum class Attribute : std::uint16_t {
#define TURNPIKE_STUN_ATTRIBUTE(enumerator, code, name, known) enumerator = code,
#include "common/stun/stun.def"
};

enum class ErrorCode : std::uint16_t {
#define TURNPIKE_STUN_ERROR(enumerator, code, phrase) enumerator = code,
#include "common/stun/stun.def"
};

// M11..M7 C1 M6..M4 C0 M3..M0 (RFC 8489 figure 3).
constexpr std::uint16_t encode_type(Method method, MessageClass message_class) noexcept {
  const unsigned m = static_cast<unsigned>(method);
  const unsigned c = static_cast<unsigned>(message_class);
  return static_cast<std::uint16_t>((m & 0x0F80) << 2 | (m & 0x0070) << 1 | (m & 0x000F) | (c & 2) << 7 |
                                    (c & 1) << 4);
}
constexpr Method decode_method(std::uint16_t type) noexcept {
  return static_cast<Method>((type & 0x3E00) >> 2 | (type & 0x00E0) >> 1 | (type & 0x000F));
}
constexpr MessageClass decode_class(std::uint16_t type) noexcept {
  return static_cast<MessageClass>((type & 0x0100) >> 7 | (type & 0x0010) >> 4);
}

namespace detail {
inline constexpr unsigned R = 1U << static_cast<unsigned>(MessageClass::kRequest);
inline constexpr unsigned I = 1U << static_cast<unsigned>(MessageClass::kIndication);
inline constexpr unsigned S = 1U << static_cast<unsigned>(MessageClass::kSuccess);
inline constexpr unsigned E = 1U << static_cast<unsigned>(MessageClass::kError);

constexpr unsigned defined_classes(Method method) noexcept {
  switch (method) {
#define TURNPIKE_STUN_METHOD(enumerator, number, name, defined, accepted) \
  case Method::enumerator:                                                \
    return defined;
#include "common/stun/stun.def"
  }
  return 0;
}
constexpr unsigned accepted_classes(Method method) noexcept {
  switch (method) {
#define TURNPIKE_STUN_METHOD(enumerator, number, name, defined, accepted) \
  case Method::enumerator:                                                \
    return accepted;
#include "common/stun/stun.def"
  }
  return 0;
}
}  // namespace detail

// Does any RFC define this pair?
constexpr bool is_defined(Method method, MessageClass message_class) noexcept {
  return (detail::defined_classes(method) >> static_cast<unsigned>(message_class) & 1) != 0;
}
// Does this server take this pair from a client? All others are dropped unanswered (RFC 8489 section 6.3).
constexpr bool is_accepted(Method method, MessageClass message_class) noexcept {
  return (detail::accepted_classes(method) >> static_cast<unsigned>(message_class) & 1) != 0;
}

constexpr bool is_comprehension_required(std::uint16_t attribute) noexcept { return attribute < 0x8000; }

constexpr bool is_known(std::uint16_t attribute) noexcept {
  switch (static_cast<Attribute>(attribute)) {
#define TURNPIKE_STUN_ATTRIBUTE(enumerator, code, name, known) \
  case Attribute::enumerator:                                  \
    return known;
#include "common/stun/stun.def"
  }
  return false;
}

// Names for logs, tests and reason phrases; empty for a value that stun.def does not have.
constexpr std::string_view name(Method method) noexcept {
  switch (method) {
#define TURNPIKE_STUN_METHOD(enumerator, number, name, defined, accepted) \
  case Method::enumerator:                                                \
    return name;
#include "common/stun/stun.def"
  }
  return {};
}
constexpr std::string_view name(Attribute attribute) noexcept {
  switch (attribute) {
#define TURNPIKE_STUN_ATTRIBUTE(enumerator, code, name, known) \
  case Attribute::enumerator:                                  \
    return name;
#include "common/stun/stun.def"
  }
  return {};
}
constexpr std::string_view reason_phrase(ErrorCode code) noexcept {
  switch (code) {
#define TURNPIKE_STUN_ERROR(enumerator, code, phrase) \
  case ErrorCode::enumerator:                         \
    return phrase;
#include "common/stun/stun.def"
  }
  return {};
}

// The table against the rules that every row has to keep.
#define TURNPIKE_STUN_METHOD(enumerator, number, name, defined, accepted)                                    \
  static_assert((number) < 0x100, "the first byte of a STUN message is 0..3 (RFC 7983)");                    \
  static_assert(decode_method(encode_type(Method::enumerator, MessageClass::kError)) == Method::enumerator); \
  static_assert(                                                                                             \
      (detail::accepted_classes(Method::enumerator) & ~detail::defined_classes(Method::enumerator)) == 0);
#include "common/stun/stun.def"
#define TURNPIKE_STUN_ERROR(enumerator, code, phrase)    \
  static_assert((code) / 100 >= 3 && (code) / 100 <= 6); \
  static_assert(sizeof(phrase) <= 128, "RFC 8489 section 14.8: fewer than 128 characters");
#include "common/stun/stun.def"
static_assert(encode_type(Method::kBinding, MessageClass::kError) == 0x0111);
static_assert(encode_type(Method::kConnectionAttempt, MessageClass::kIndication) == 0x001C);

}  // namespace turnpike::stun
