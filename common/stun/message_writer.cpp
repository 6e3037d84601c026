// SPDX-License-Identifier: BSD-3-Clause
// Encoding of the header and of the attributes; the length field is right after every attribute.
#include "common/stun/message_writer.hpp"

#include <algorithm>

#include "common/stun/crc32.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::stun {

using wire::store_be16;
using wire::store_be32;

void MessageWriter::begin(Method method, MessageClass message_class,
                          TransactionIdView transaction_id) noexcept {
  size_ = 0;
  closed_ = false;
  failed_ = buffer_.size() < kHeaderSize;
  if (failed_) return;
  store_be16(buffer_.data(), encode_type(method, message_class));
  store_be16(buffer_.data() + 2, 0);
  store_be32(buffer_.data() + 4, kMagicCookie);
  std::copy(transaction_id.begin(), transaction_id.end(), buffer_.begin() + 8);
  size_ = kHeaderSize;
}

MutableBytes MessageWriter::reserve(Attribute attribute, std::size_t size) noexcept {
  const std::size_t room = std::min(buffer_.size(), kMaxMessageSize);
  if (failed_ || closed_ || size > kMaxMessageLength ||
      size_ + kAttributeHeaderSize + padded_size(size) > room) {
    failed_ = true;
    return {};
  }
  std::uint8_t* header = buffer_.data() + size_;
  store_be16(header, static_cast<std::uint16_t>(attribute));
  store_be16(header + 2, static_cast<std::uint16_t>(size));
  const MutableBytes value = buffer_.subspan(size_ + kAttributeHeaderSize, size);
  std::fill(value.data() + size, value.data() + padded_size(size), std::uint8_t{0});
  size_ += kAttributeHeaderSize + padded_size(size);
  store_be16(buffer_.data() + 2, static_cast<std::uint16_t>(size_ - kHeaderSize));
  return value;
}

void MessageWriter::add(Attribute attribute, Bytes value) noexcept {
  const MutableBytes room = reserve(attribute, value.size());
  if (!failed_) std::copy(value.begin(), value.end(), room.begin());
}

void MessageWriter::add_text(Attribute attribute, std::string_view text) noexcept {
  add(attribute, Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void MessageWriter::add_u32(Attribute attribute, std::uint32_t value) noexcept {
  const MutableBytes room = reserve(attribute, 4);
  if (!failed_) store_be32(room.data(), value);
}

void MessageWriter::add_channel_number(std::uint16_t number) noexcept {
  add_u32(Attribute::kChannelNumber, std::uint32_t{number} << 16);
}

void MessageWriter::add_requested_transport(std::uint8_t protocol) noexcept {
  add_u32(Attribute::kRequestedTransport, std::uint32_t{protocol} << 24);
}

void MessageWriter::add_address_family(Attribute attribute, Family family) noexcept {
  add_u32(attribute, static_cast<std::uint32_t>(family) << 24);
}

void MessageWriter::add_even_port(bool reserve_next) noexcept {
  const std::uint8_t value = reserve_next ? 0x80 : 0x00;
  add(Attribute::kEvenPort, Bytes(&value, 1));
}

void MessageWriter::add_address(Attribute attribute, const Endpoint& endpoint) noexcept {
  if (endpoint.address.family == Family::kNone) {
    failed_ = true;
    return;
  }
  const MutableBytes room = reserve(attribute, address_value_size(endpoint.address.family));
  if (!failed_) encode_address(room.data(), endpoint);
}

void MessageWriter::add_xor_address(Attribute attribute, const Endpoint& endpoint) noexcept {
  if (failed_) return;
  add_address(attribute, xor_endpoint(endpoint, TransactionIdView(buffer_.data() + 8, kTransactionIdSize)));
}

void MessageWriter::add_error(ErrorCode code, std::string_view phrase) noexcept {
  add_coded(Attribute::kErrorCode, 0, code, phrase);
}

void MessageWriter::add_address_error(Family family, ErrorCode code) noexcept {
  add_coded(Attribute::kAddressErrorCode, static_cast<std::uint8_t>(family), code, reason_phrase(code));
}

void MessageWriter::add_coded(Attribute attribute, std::uint8_t first_byte, ErrorCode code,
                              std::string_view phrase) noexcept {
  const MutableBytes room = reserve(attribute, 4 + phrase.size());
  if (failed_) return;
  const auto number = static_cast<unsigned>(code);
  room[0] = first_byte;
  room[1] = 0;
  room[2] = static_cast<std::uint8_t>(number / 100);
  room[3] = static_cast<std::uint8_t>(number % 100);
  std::copy(phrase.begin(), phrase.end(), room.begin() + 4);
}

void MessageWriter::add_unknown_attributes(std::span<const std::uint16_t> codes) noexcept {
  const MutableBytes room = reserve(Attribute::kUnknownAttributes, 2 * codes.size());
  if (failed_) return;
  for (std::size_t i = 0; i < codes.size(); ++i) store_be16(room.data() + 2 * i, codes[i]);
}

void MessageWriter::add_password_algorithm(PasswordAlgorithm algorithm) noexcept {
  add_u32(Attribute::kPasswordAlgorithm, static_cast<std::uint32_t>(algorithm) << 16);
}

void MessageWriter::add_password_algorithms(std::span<const PasswordAlgorithm> algorithms) noexcept {
  const MutableBytes room = reserve(Attribute::kPasswordAlgorithms, 4 * algorithms.size());
  if (failed_) return;
  for (std::size_t i = 0; i < algorithms.size(); ++i) {
    store_be32(room.data() + 4 * i, static_cast<std::uint32_t>(algorithms[i]) << 16);
  }
}

void MessageWriter::add_fingerprint() noexcept {
  const std::size_t covered = size_;
  const MutableBytes room = reserve(Attribute::kFingerprint, 4);
  if (failed_) return;
  store_be32(room.data(), crc32(buffer_.first(covered)) ^ kFingerprintXor);
  closed_ = true;
}

}  // namespace turnpike::stun
