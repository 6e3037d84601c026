// SPDX-License-Identifier: BSD-3-Clause
// When the next microburst is due, at a rate that is held exactly over the run.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike::load {

class Pacer {
public:
  using Clock = std::chrono::steady_clock;

  Pacer(std::uint64_t rate, std::uint32_t burst, Clock::time_point start)
      : rate_(rate), burst_(burst), start_(start) {}

  // When the next burst has to leave.
  Clock::time_point next() const {
    // In two parts: the product of all packets of a long run and a second's nanoseconds does not fit.
    return start_ + std::chrono::seconds(made_ / rate_) +
           std::chrono::nanoseconds(made_ % rate_ * kSecond / rate_);
  }
  // Whether one has to leave now; what is hopelessly late is given up, or a pause would end in a flood.
  bool due(Clock::time_point now) {
    const auto late = now - next();
    if (late < Clock::duration::zero()) return false;
    if (late > kPatience) give_up(now);
    made_ += burst_;
    return true;
  }
  // No burst leaves any more that had to before now.
  void give_up(Clock::time_point now) {
    const auto late = now - next();
    if (late < Clock::duration::zero()) return;
    const auto bursts = static_cast<std::uint64_t>(late.count()) * rate_ / kSecond / burst_;
    missed_ += bursts * burst_;
    made_ += bursts * burst_;
  }
  std::uint64_t missed() const { return missed_; }

private:
  static constexpr std::uint64_t kSecond = 1'000'000'000;
  static constexpr std::chrono::milliseconds kPatience{20};

  std::uint64_t rate_;
  std::uint32_t burst_;
  Clock::time_point start_;
  std::uint64_t made_ = 0;
  std::uint64_t missed_ = 0;
};

}  // namespace turnpike::load
