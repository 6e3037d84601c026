// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth as the server hands it out: bytes per second of one allocation (max-bps), and of all that have a
// limit together (bps-capacity). The two directions have the same limit each, so one number stands for both.
#pragma once

#include <algorithm>
#include <cstdint>

namespace turnpike::turn {

// More than a port takes; the sum over all allocations that there can be stays within 64 bits.
inline constexpr std::uint64_t kLargestBps = 100'000'000'000;

class BandwidthLedger {
public:
  std::uint64_t handed_out() const { return handed_out_; }

  // What a new allocation that wants `wanted` (not 0) gets of `capacity` (0: endless). 0: nothing is left.
  std::uint64_t offer(std::uint64_t wanted, std::uint64_t capacity) const {
    return capacity == 0 ? wanted : std::min(wanted, left_of(capacity, 0));
  }
  // The same for one that lives and has `held` (0: no limit so far). For want of capacity it never gets less
  // than it has, and never nothing: rather is the capacity overdrawn until others have ended.
  std::uint64_t offer_again(std::uint64_t wanted, std::uint64_t held, std::uint64_t capacity) const {
    if (capacity == 0 || held == 0) return wanted;
    return std::min(wanted, std::max(held, left_of(capacity, held)));
  }
  void exchange(std::uint64_t given_back, std::uint64_t taken) {
    handed_out_ = handed_out_ - given_back + taken;
  }

private:
  std::uint64_t left_of(std::uint64_t capacity, std::uint64_t held) const {
    const std::uint64_t others = handed_out_ - held;
    return capacity > others ? capacity - others : 0;
  }

  std::uint64_t handed_out_ = 0;
};

}  // namespace turnpike::turn
