// SPDX-License-Identifier: BSD-3-Clause
// Edits of STUN messages in a vector, for tests that need messages that no writer would make.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "common/stun/attributes.hpp"
#include "common/stun/crc32.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/types.hpp"
#include "common/wire/endian.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::test {

using Datagram = std::vector<std::uint8_t>;

inline std::uint16_t code(stun::Attribute attribute) { return static_cast<std::uint16_t>(attribute); }

// What the validating reader says of a message.
inline stun::ParseError parse(const Datagram& datagram) {
  stun::MessageView view;
  return stun::MessageView::parse(datagram, view);
}

inline void set_length(Datagram& message, std::size_t length) {
  wire::store_be16(message.data() + 2, static_cast<std::uint16_t>(length));
}
inline void fit_length(Datagram& message) { set_length(message, message.size() - stun::kHeaderSize); }

// A TLV with zero padding; `pad` other than 0 stands for senders that pad with junk.
inline Datagram tlv(std::uint16_t code, const Datagram& value, std::uint8_t pad = 0) {
  Datagram bytes(4);
  wire::store_be16(bytes.data(), code);
  wire::store_be16(bytes.data() + 2, static_cast<std::uint16_t>(value.size()));
  bytes.insert(bytes.end(), value.begin(), value.end());
  bytes.resize(4 + stun::padded_size(value.size()), pad);
  return bytes;
}

// Inserts a TLV at `offset` (npos: at the end) and corrects the header's length.
inline void insert_tlv(Datagram& message, std::size_t offset, std::uint16_t code, const Datagram& value,
                       std::uint8_t pad = 0) {
  const Datagram bytes = tlv(code, value, pad);
  message.insert(message.begin() + static_cast<std::ptrdiff_t>(offset), bytes.begin(), bytes.end());
  fit_length(message);
}
inline void append_tlv(Datagram& message, std::uint16_t code, const Datagram& value, std::uint8_t pad = 0) {
  insert_tlv(message, message.size(), code, value, pad);
}

// Offset of the first TLV of this type, whatever stands around it.
inline std::size_t tlv_offset(const Datagram& message, stun::Attribute attribute) {
  std::size_t offset = stun::kHeaderSize;
  while (offset + 4 <= message.size()) {
    if (wire::load_be16(message.data() + offset) == static_cast<std::uint16_t>(attribute)) return offset;
    offset += 4 + stun::padded_size(wire::load_be16(message.data() + offset + 2));
  }
  return 0;
}

// Cuts the FINGERPRINT off, if there is one at the end, and puts a right one there.
inline void drop_fingerprint(Datagram& message) {
  const std::size_t offset = tlv_offset(message, stun::Attribute::kFingerprint);
  if (offset == 0) return;
  message.resize(offset);
  fit_length(message);
}
inline void renew_fingerprint(Datagram& message) {
  drop_fingerprint(message);
  append_tlv(message, static_cast<std::uint16_t>(stun::Attribute::kFingerprint), {0, 0, 0, 0});
  const std::uint32_t crc = stun::crc32(Bytes(message).first(message.size() - 8));
  wire::store_be32(message.data() + message.size() - 4, crc ^ stun::kFingerprintXor);
}

// Addresses that the test's author wrote; an exception on a slip of the pen.
inline wire::IpAddress address(std::string_view text) { return wire::parse_address(text).value(); }
inline wire::Endpoint endpoint(std::string_view text) { return wire::parse_endpoint(text).value(); }

}  // namespace turnpike::test
