// SPDX-License-Identifier: BSD-3-Clause
// Time by TSC, of a program that others may stop and continue: the pauses do not count.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

namespace turnpike::load {

class RunClock {
public:
  RunClock()
      : hz_(rte_get_tsc_hz()),
        ns_per_cycle_(1e9 / static_cast<double>(hz_)),
        pause_(hz_ / 10),
        start_(rte_rdtsc()),
        last_(start_) {}

  std::uint64_t hz() const noexcept { return hz_; }
  void restart() noexcept { start_ = last_ = rte_rdtsc(); }
  // Cycles of running so far. Called at least every few milliseconds; longer than pause_ without a call is a
  // SIGSTOP, no scheduler leaves a program alone for so long.
  std::uint64_t tick() noexcept {
    const std::uint64_t tsc = rte_rdtsc();
    if (tsc - last_ > pause_) start_ += tsc - last_;
    last_ = tsc;
    return tsc - start_;
  }
  std::uint64_t now_ns() const noexcept {
    return static_cast<std::uint64_t>(static_cast<double>(rte_rdtsc() - start_) * ns_per_cycle_);
  }

private:
  std::uint64_t hz_;
  double ns_per_cycle_;
  std::uint64_t pause_;  // 0.1 s
  std::uint64_t start_;
  std::uint64_t last_;
};

}  // namespace turnpike::load
