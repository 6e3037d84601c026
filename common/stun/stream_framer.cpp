// SPDX-License-Identifier: BSD-3-Clause
// Framing decisions on at most eight bytes, in size_t: 20 + 65532 and 4 + 65535 do not fit in 16 bits.
#include "common/stun/stream_framer.hpp"

#include <algorithm>

#include "common/stun/channel_data.hpp"
#include "common/wire/endian.hpp"

namespace turnpike::stun {

namespace {
constexpr std::size_t kLengthKnown = 4;  // bytes that tell the size of either kind
constexpr std::size_t kCookieKnown = 8;
}  // namespace

// The order of the checks is fixed, so that the way the stream was cut into reads cannot change the outcome.
FrameStatus StreamFramer::measure(Bytes bytes, std::size_t& size) const noexcept {
  if (bytes.empty()) return FrameStatus::kNeedMore;
  const unsigned kind = bytes[0] >> 6;
  if (kind > 1) return FrameStatus::kNotTurn;
  if (bytes.size() < kLengthKnown) return FrameStatus::kNeedMore;
  const std::size_t length = wire::load_be16(bytes.data() + 2);
  const bool channel_data = kind == 1;
  if (!channel_data && length % 4 != 0) return FrameStatus::kBadLength;
  size = channel_data ? kChannelDataHeaderSize + padded_size(length) : kHeaderSize + length;
  if (size > max_message_) return FrameStatus::kTooLong;
  if (channel_data) return FrameStatus::kMessage;
  if (bytes.size() < kCookieKnown) return FrameStatus::kNeedMore;
  return wire::load_be32(bytes.data() + 4) == kMagicCookie ? FrameStatus::kMessage : FrameStatus::kBadCookie;
}

void StreamFramer::take(Bytes& input, std::size_t up_to) {
  const std::size_t count = std::min(input.size(), up_to - partial_.size());
  partial_.insert(partial_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(count));
  input = input.subspan(count);
}

FrameStatus StreamFramer::next(Bytes& input, Bytes& message) {
  if (delivered_) partial_.clear();
  delivered_ = false;

  std::size_t size = 0;
  if (partial_.empty()) {
    const FrameStatus status = measure(input, size);
    if (status == FrameStatus::kMessage && input.size() >= size) {
      message = input.first(size);
      input = input.subspan(size);
      return FrameStatus::kMessage;
    }
  }
  // A message in pieces: first as many bytes as tell its size, then the rest of it and no more.
  for (const std::size_t known : {kLengthKnown, kCookieKnown}) {
    if (partial_.size() < known) take(input, known);
    const FrameStatus status = measure(partial_, size);
    if (status == FrameStatus::kMessage) break;
    if (status != FrameStatus::kNeedMore) return status;  // and again next time: partial_ keeps the bytes
  }
  if (size == 0 || partial_.size() < kLengthKnown) return FrameStatus::kNeedMore;
  take(input, size);
  if (partial_.size() < size) return FrameStatus::kNeedMore;
  delivered_ = true;
  message = partial_;
  return FrameStatus::kMessage;
}

}  // namespace turnpike::stun
