// SPDX-License-Identifier: BSD-3-Clause
// A limit of bytes per second that drops what is above, without queue, clock of its own or division on the
// way of a datagram. One thread owns a bucket.
#pragma once

#include <algorithm>
#include <cstdint>

namespace turnpike {

// The rate and what follows from it, worked out once. Levels of buckets are billionths of a byte: each
// nanosecond brings as many of them as the rate has bytes per second, exactly, for any rate.
class ByteRate {
public:
  constexpr ByteRate() = default;  // no limit
  explicit constexpr ByteRate(std::uint64_t bytes_per_second) noexcept
      : bytes_per_second_(bytes_per_second), burst_(burst_of(bytes_per_second)) {
    if (bytes_per_second == 0) return;
    const std::uint64_t longest = static_cast<std::uint64_t>(burst_ + kMaxDebt);
    full_after_ns_ = longest / bytes_per_second + (longest % bytes_per_second != 0 ? 1 : 0);
  }
  constexpr std::uint64_t bytes_per_second() const { return bytes_per_second_; }

private:
  friend class TokenBucket;

  static constexpr std::int64_t kByte = 1'000'000'000;
  static constexpr std::int64_t kMaxDebt = 65'536 * kByte;  // more than a datagram
  // An eighth of a second may come at once: a video frame is dozens of datagrams in a row, and a busy relay
  // or path bunches what was sent evenly. Eleven full Ethernet datagrams at least, or a slow session would
  // lose part of every message; a gibibyte at most, so that no sum leaves 63 bits.
  static constexpr std::uint64_t kSmallestBurst = std::uint64_t{16} << 10;
  static constexpr std::uint64_t kLargestBurst = std::uint64_t{1} << 30;

  static constexpr std::int64_t burst_of(std::uint64_t bytes_per_second) noexcept {
    return static_cast<std::int64_t>(std::clamp(bytes_per_second / 8, kSmallestBurst, kLargestBurst)) * kByte;
  }

  std::uint64_t bytes_per_second_ = 0;
  std::int64_t burst_ = 0;
  std::uint64_t full_after_ns_ = 0;  // however deep the debt was
};

class TokenBucket {
public:
  constexpr TokenBucket() = default;
  explicit constexpr TokenBucket(const ByteRate& rate) noexcept : level_(rate.burst_) {}  // full

  // Whether a datagram of `bytes` (below 65536) may pass. One that is larger than the whole burst passes when
  // the bucket is full, and the excess is a debt: else it never could.
  constexpr bool take(const ByteRate& rate, std::uint32_t bytes, std::uint64_t now_ns) noexcept {
    const std::uint64_t elapsed = now_ns - last_ns_;  // a clock that was set back: one burst, once
    last_ns_ = now_ns;
    level_ =
        elapsed >= rate.full_after_ns_
            ? rate.burst_
            : std::min(rate.burst_, level_ + static_cast<std::int64_t>(elapsed * rate.bytes_per_second_));
    const std::int64_t cost = std::int64_t{bytes} * ByteRate::kByte;
    if (level_ < std::min(cost, rate.burst_)) return false;
    level_ -= cost;
    return true;
  }
  // Another rate from here on; what was saved under the old one counts up to the new burst.
  constexpr void change(const ByteRate& rate) noexcept { level_ = std::min(level_, rate.burst_); }

private:
  std::int64_t level_ = 0;
  std::uint64_t last_ns_ = 0;
};

}  // namespace turnpike
