// SPDX-License-Identifier: BSD-3-Clause
// Cuts a TCP or TLS byte stream into messages (RFC 8489 section 6.2.2, RFC 8656 section 12.5).
#pragma once

#include <vector>

#include "common/base/types.hpp"
#include "common/stun/types.hpp"

namespace turnpike::stun {

enum class FrameStatus : std::uint8_t {
  kMessage,   // one whole message was delivered
  kNeedMore,  // the input is used up
  // The stream is out of step for good: close the connection. Every later call says the same.
  kNotTurn,    // a top bit is set: neither STUN nor ChannelData
  kBadLength,  // a STUN length that is not a multiple of four
  kBadCookie,
  kTooLong,  // longer than the limit
};

class StreamFramer {
public:
  // The largest message there is: STUN with a length of 65532 (ChannelData ends at 65540 with its padding).
  static constexpr std::size_t kLargestMessage = kMaxMessageSize;

  // Memory is taken as messages arrive in pieces, up to max_message bytes.
  explicit StreamFramer(std::size_t max_message = kLargestMessage) noexcept : max_message_(max_message) {}

  // For what comes from here on, when more is known of the sender.
  void set_limit(std::size_t max_message) noexcept { max_message_ = max_message; }

  // Takes at most one message out of `input` and moves `input` behind the bytes it used. `message`
  // (ChannelData with its padding) is valid until the next call, and until the input's memory goes away: a
  // message that arrived whole is not copied. Call again until the status is not kMessage.
  FrameStatus next(Bytes& input, Bytes& message);

  // Bytes that wait for the rest of their message.
  std::size_t buffered() const noexcept { return delivered_ ? 0 : partial_.size(); }

private:
  // kMessage with the message's size, kNeedMore when the bytes do not tell yet, or the error.
  FrameStatus measure(Bytes bytes, std::size_t& size) const noexcept;
  void take(Bytes& input, std::size_t up_to);

  std::vector<std::uint8_t> partial_;
  std::size_t max_message_;
  bool delivered_ = false;  // partial_ holds the message that the previous call returned
};

}  // namespace turnpike::stun
