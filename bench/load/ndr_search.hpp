// SPDX-License-Identifier: BSD-3-Clause
// The highest rate that passes (RFC 2544 section 26.1), by halving what is left between one that did and one
// that did not.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

namespace turnpike::load {

class NdrSearch {
public:
  // Ends when both are no further apart than this.
  static constexpr double kPrecision = 1.01;

  NdrSearch(std::uint64_t minimum, std::uint64_t maximum) : low_(minimum), high_(maximum) {}

  // What to try next: the maximum, the minimum, then what is between. Nothing when it is known.
  std::optional<std::uint64_t> next() const {
    if (!maximum_tried_) return high_;
    if (passed_ == high_ || failed_minimum_) return std::nullopt;
    if (passed_ == 0) return low_;
    if (static_cast<double>(high_) <= static_cast<double>(low_) * kPrecision) return std::nullopt;
    // Geometrically: a range may reach from thousands to millions.
    const auto middle =
        static_cast<std::uint64_t>(std::sqrt(static_cast<double>(low_) * static_cast<double>(high_)));
    return middle > low_ && middle < high_ ? std::optional(middle) : std::nullopt;
  }
  // Of the rate that next() gave.
  void report(bool passed) {
    const std::uint64_t rate = *next();
    if (passed) {
      passed_ = low_ = rate;
    } else if (maximum_tried_ && passed_ == 0) {
      failed_minimum_ = true;
    } else {
      high_ = rate;
    }
    maximum_tried_ = true;
  }
  // 0: not even the minimum.
  std::uint64_t passed() const { return passed_; }

private:
  std::uint64_t low_;
  std::uint64_t high_;
  std::uint64_t passed_ = 0;
  bool maximum_tried_ = false;
  bool failed_minimum_ = false;
};

}  // namespace turnpike::load
