// SPDX-License-Identifier: BSD-3-Clause
// Attribute values as C++ values. Every decoder proves the length it needs and refuses a malformed value.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "common/base/types.hpp"
#include "common/stun/types.hpp"
#include "common/wire/endian.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::stun {

using wire::Endpoint;
using wire::Family;
using wire::IpAddress;

// RFC 8489 sections 14.1 and 14.2. The first byte is ignored on receipt.
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +---------------+---------------+-------------------------------+
//  |0 0 0 0 0 0 0 0|    family     |             port              |
//  +---------------+---------------+-------------------------------+
//  |                 address (32 or 128 bits)                      |
//  +---------------------------------------------------------------+
inline constexpr std::size_t kAddressValueV4 = 8;
inline constexpr std::size_t kAddressValueV6 = 20;

constexpr std::size_t address_value_size(Family family) noexcept {
  return family == Family::kIpv4 ? kAddressValueV4 : kAddressValueV6;
}

// The 16 bytes of an IpAddress as the two words that they load as. Whole words, kept in registers until all
// is known, spare the packet path byte loops and narrow stores that a wide load would have to wait for.
struct AddressWords {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

// The address in a value; kNone when family and length are not those of an address.
inline Family load_address(Bytes value, AddressWords& words) noexcept {
  if (value.size() == kAddressValueV4 && value[1] == static_cast<std::uint8_t>(Family::kIpv4)) {
    std::uint32_t v4;
    std::memcpy(&v4, value.data() + 4, 4);
    words = {v4, 0};  // little-endian host: the first four bytes of the word
    return Family::kIpv4;
  }
  if (value.size() == kAddressValueV6 && value[1] == static_cast<std::uint8_t>(Family::kIpv6)) {
    std::memcpy(&words.low, value.data() + 4, 8);
    std::memcpy(&words.high, value.data() + 12, 8);
    return Family::kIpv6;
  }
  return Family::kNone;
}

// What an address is XORed with (RFC 8489 section 14.2): the cookie, over IPv6 followed by the transaction
// id.
inline AddressWords xor_mask(Family family, TransactionIdView transaction_id) noexcept {
  AddressWords mask{wire::swap_bytes(kMagicCookie), 0};
  if (family == Family::kIpv6) {
    std::uint32_t first;
    std::memcpy(&first, transaction_id.data(), 4);
    std::memcpy(&mask.high, transaction_id.data() + 4, 8);
    mask.low |= std::uint64_t{first} << 32;
  }
  return mask;
}
inline constexpr std::uint16_t kPortMask = kMagicCookie >> 16;

inline void store_endpoint(Endpoint& out, Family family, AddressWords words, std::uint16_t port) noexcept {
  std::memcpy(out.address.bytes.data(), &words.low, 8);
  std::memcpy(out.address.bytes.data() + 8, &words.high, 8);
  out.address.family = family;
  out.reserved = 0;
  out.port = port;
}

// Read a value into `out`; false, with `out` untouched, when it is malformed.
inline bool read_address(Bytes value, Endpoint& out) noexcept {
  AddressWords words;
  const Family family = load_address(value, words);
  if (family == Family::kNone) return false;
  store_endpoint(out, family, words, wire::load_be16(value.data() + 2));
  return true;
}
inline bool read_xor_address(Bytes value, TransactionIdView transaction_id, Endpoint& out) noexcept {
  AddressWords words;
  const Family family = load_address(value, words);
  if (family == Family::kNone) return false;
  const AddressWords mask = xor_mask(family, transaction_id);
  words.low ^= mask.low;
  words.high ^= mask.high;
  store_endpoint(out, family, words, wire::load_be16(value.data() + 2) ^ kPortMask);
  return true;
}
inline std::optional<Endpoint> decode_address(Bytes value) noexcept {
  Endpoint endpoint;
  if (!read_address(value, endpoint)) return std::nullopt;
  return endpoint;
}
inline std::optional<Endpoint> decode_xor_address(Bytes value, TransactionIdView transaction_id) noexcept {
  Endpoint endpoint;
  if (!read_xor_address(value, transaction_id, endpoint)) return std::nullopt;
  return endpoint;
}
// The XOR is its own inverse: plain to encoded and back.
inline Endpoint xor_endpoint(const Endpoint& endpoint, TransactionIdView transaction_id) noexcept {
  AddressWords words;
  std::memcpy(&words.low, endpoint.address.bytes.data(), 8);
  std::memcpy(&words.high, endpoint.address.bytes.data() + 8, 8);
  const AddressWords mask = xor_mask(endpoint.address.family, transaction_id);
  Endpoint result;
  store_endpoint(result, endpoint.address.family, {words.low ^ mask.low, words.high ^ mask.high},
                 endpoint.port ^ kPortMask);
  return result;
}

// Writes address_value_size(family) bytes; the caller has proved the room and a family that is not kNone.
inline void encode_address(std::uint8_t* out, const Endpoint& endpoint) noexcept {
  out[0] = 0;
  out[1] = static_cast<std::uint8_t>(endpoint.address.family);
  wire::store_be16(out + 2, endpoint.port);
  std::memcpy(out + 4, endpoint.address.bytes.data(), endpoint.address.size());
}

inline std::optional<std::uint32_t> decode_u32(Bytes value) noexcept {
  if (value.size() != 4) return std::nullopt;
  return wire::load_be32(value.data());
}
// Seconds (RFC 8656 section 18.2).
inline std::optional<std::uint32_t> decode_lifetime(Bytes value) noexcept { return decode_u32(value); }

// RFC 8656 section 18.1: the number, then 16 bits that are ignored.
inline std::optional<std::uint16_t> decode_channel_number(Bytes value) noexcept {
  if (value.size() != 4) return std::nullopt;
  return wire::load_be16(value.data());
}

// RFC 8656 section 18.7: true when the next port is to be reserved too. Clients that send four bytes exist:
// the first one counts.
inline std::optional<bool> decode_even_port(Bytes value) noexcept {
  if (value.empty()) return std::nullopt;
  return (value[0] & 0x80) != 0;
}

// RFC 8656 section 18.8: the protocol number of IP (17 is UDP, 6 TCP), then three bytes that are ignored.
inline constexpr std::uint8_t kTransportUdp = 17;
inline constexpr std::uint8_t kTransportTcp = 6;
inline std::optional<std::uint8_t> decode_requested_transport(Bytes value) noexcept {
  if (value.size() != 4) return std::nullopt;
  return value[0];
}

// REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY, RFC 8656 sections 18.6 and 18.11. The raw number:
// an unknown family is well-formed and gets 440, not 400.
inline std::optional<std::uint8_t> decode_address_family(Bytes value) noexcept {
  if (value.size() != 4) return std::nullopt;
  return value[0];
}

using ReservationToken = std::array<std::uint8_t, 8>;
inline std::optional<ReservationToken> decode_reservation_token(Bytes value) noexcept {
  ReservationToken token;
  if (value.size() != token.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), token.begin());
  return token;
}

using Userhash = std::array<std::uint8_t, 32>;
inline std::optional<Userhash> decode_userhash(Bytes value) noexcept {
  Userhash hash;
  if (value.size() != hash.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), hash.begin());
  return hash;
}

// USERNAME, REALM, NONCE and SOFTWARE: bytes as they came. The limit of 763 bytes is the RFC's for receivers
// (RFC 8489 sections 14.3, 14.9, 14.10).
inline constexpr std::size_t kMaxTextSize = 763;
inline std::optional<std::string_view> decode_text(Bytes value) noexcept {
  if (value.size() > kMaxTextSize) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(value.data()), value.size());
}

// RFC 8489 section 14.8: 21 reserved bits, the hundreds, the rest, the phrase.
struct ErrorValue {
  std::uint16_t code = 0;
  std::string_view phrase;
};
inline std::optional<ErrorValue> decode_error(Bytes value) noexcept {
  if (value.size() < 4) return std::nullopt;
  const unsigned hundreds = value[2] & 7;
  if (hundreds < 3 || hundreds > 6 || value[3] > 99) return std::nullopt;
  return ErrorValue{static_cast<std::uint16_t>(hundreds * 100 + value[3]),
                    {reinterpret_cast<const char*>(value.data()) + 4, value.size() - 4}};
}

// RFC 8656 section 18.12: as ERROR-CODE, with the family in the first byte.
struct AddressErrorValue {
  std::uint8_t family = 0;
  ErrorValue error;
};
inline std::optional<AddressErrorValue> decode_address_error(Bytes value) noexcept {
  const auto error = decode_error(value);
  if (!error) return std::nullopt;
  return AddressErrorValue{value[0], *error};
}

// RFC 8656 section 18.13 (type and code are whole bytes, whatever the figure draws). Whether they are ICMP's
// or ICMPv6's is told by the family of XOR-PEER-ADDRESS. `data` is the next hop's MTU where the error has
// one, else 0.
struct IcmpValue {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t data = 0;
  friend bool operator==(const IcmpValue&, const IcmpValue&) noexcept = default;
};
inline std::array<std::uint8_t, 8> encode_icmp(IcmpValue icmp) noexcept {
  std::array<std::uint8_t, 8> value{0, 0, icmp.type, icmp.code, 0, 0, 0, 0};
  wire::store_be32(value.data() + 4, icmp.data);
  return value;
}
inline std::optional<IcmpValue> decode_icmp(Bytes value) noexcept {
  if (value.size() != 8) return std::nullopt;
  return IcmpValue{value[2], value[3], wire::load_be32(value.data() + 4)};
}

// RFC 8489 sections 14.11, 14.12 and 18.5.
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-------------------------------+-------------------------------+
//  |           algorithm           |     length of parameters      |
//  +-------------------------------+-------------------------------+
//  |            parameters, padded to a multiple of four           |
//  +---------------------------------------------------------------+
enum class PasswordAlgorithm : std::uint16_t { kMd5 = 0x0001, kSha256 = 0x0002 };

// PASSWORD-ALGORITHM: exactly one entry. Parameters are refused: neither defined algorithm has any.
inline std::optional<PasswordAlgorithm> decode_password_algorithm(Bytes value) noexcept {
  if (value.size() != 4 || wire::load_be16(value.data() + 2) != 0) return std::nullopt;
  return static_cast<PasswordAlgorithm>(wire::load_be16(value.data()));
}

// PASSWORD-ALGORITHMS: visit(PasswordAlgorithm, Bytes parameters) for each entry; false when the list is
// malformed (entries before the malformed one have been visited).
template <typename Visit>
bool decode_password_algorithms(Bytes value, Visit&& visit) {
  while (!value.empty()) {
    if (value.size() < 4) return false;
    const std::size_t parameters = wire::load_be16(value.data() + 2);
    const std::size_t entry = 4 + padded_size(parameters);
    if (entry > value.size()) return false;
    visit(static_cast<PasswordAlgorithm>(wire::load_be16(value.data())), value.subspan(4, parameters));
    value = value.subspan(entry);
  }
  return true;
}

// UNKNOWN-ATTRIBUTES (RFC 8489 section 14.13): visit(std::uint16_t) for each; false for half an entry.
template <typename Visit>
bool decode_unknown_attributes(Bytes value, Visit&& visit) {
  if (value.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < value.size(); i += 2) visit(wire::load_be16(value.data() + i));
  return true;
}

}  // namespace turnpike::stun
