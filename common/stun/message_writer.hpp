// SPDX-License-Identifier: BSD-3-Clause
// Writes one STUN message into the caller's buffer. Whatever does not fit makes finish() return nothing: no
// message is ever sent short. Padding is always zero.
#pragma once

#include <span>
#include <string_view>

#include "common/base/types.hpp"
#include "common/stun/attributes.hpp"
#include "common/stun/types.hpp"

namespace turnpike::stun {

class MessageWriter {
public:
  explicit MessageWriter(MutableBytes buffer) noexcept : buffer_(buffer) {}

  // Starts a message, forgetting a previous one.
  void begin(Method method, MessageClass message_class, TransactionIdView transaction_id) noexcept;

  void add(Attribute attribute, Bytes value) noexcept;
  void add_empty(Attribute attribute) noexcept { add(attribute, Bytes()); }
  void add_text(Attribute attribute, std::string_view text) noexcept;
  void add_u32(Attribute attribute, std::uint32_t value) noexcept;
  void add_channel_number(std::uint16_t number) noexcept;
  void add_requested_transport(std::uint8_t protocol) noexcept;
  void add_address_family(Attribute attribute, Family family) noexcept;
  void add_even_port(bool reserve_next) noexcept;
  // A family of kNone has no encoding and fails the message.
  void add_address(Attribute attribute, const Endpoint& endpoint) noexcept;
  void add_xor_address(Attribute attribute, const Endpoint& endpoint) noexcept;
  void add_error(ErrorCode code) noexcept { add_error(code, reason_phrase(code)); }
  void add_error(ErrorCode code, std::string_view phrase) noexcept;
  void add_address_error(Family family, ErrorCode code) noexcept;
  void add_unknown_attributes(std::span<const std::uint16_t> codes) noexcept;
  void add_icmp(IcmpValue icmp) noexcept { add(Attribute::kIcmp, encode_icmp(icmp)); }
  void add_password_algorithm(PasswordAlgorithm algorithm) noexcept;
  void add_password_algorithms(std::span<const PasswordAlgorithm> algorithms) noexcept;

  // FINGERPRINT over all that was written. It is the last attribute: anything added later fails the message.
  void add_fingerprint() noexcept;

  // The finished message, or nothing when it did not fit.
  Bytes finish() const noexcept { return failed_ ? Bytes() : written(); }

  // Appends an attribute of `size` bytes with zero padding, the header's length counting it already, and
  // returns the room for its value (empty on failure): for values computed over what was written.
  MutableBytes reserve(Attribute attribute, std::size_t size) noexcept;
  // What has been written so far; meaningless after a failure.
  Bytes written() const noexcept { return buffer_.first(size_); }
  bool failed() const noexcept { return failed_; }

private:
  void add_coded(Attribute attribute, std::uint8_t first_byte, ErrorCode code,
                 std::string_view phrase) noexcept;

  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool failed_ = true;  // until begin()
  bool closed_ = false;
};

}  // namespace turnpike::stun
