// SPDX-License-Identifier: BSD-3-Clause
// CLOCK_MONOTONIC for workers without a kernel call: a straight line through the TSC, drawn anew every
// second.
//
// The main lcore is the only writer. Each new line starts where the old one has got to and is tilted so that
// what it was off by is made up within the next second, so time never steps back and no two workers disagree
// for longer than it takes to read the anchor. Only a jump (the machine was suspended) is taken at once.
//
// Memory ordering (a seqlock):
//   W1  anchor() makes the sequence odd, then a release fence         -> pairs with V2
//   W2  anchor() stores the even sequence with release                -> pairs with V1
//   V1  now_ns() loads the sequence with acquire before the fields
//   V2  an acquire fence after the fields, then the sequence once more: unchanged and even, or read again
#pragma once

#include <rte_cycles.h>
#include <rte_pause.h>
#include <time.h>

#include <atomic>
#include <cstdint>

#include "common/base/types.hpp"

namespace turnpike::dataplane {

inline std::uint64_t monotonic_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

class alignas(kIsolation) Clock {
public:
  // `tsc_hz` is rte_get_tsc_hz().
  explicit Clock(std::uint64_t tsc_hz) noexcept : ideal_((std::uint64_t{1'000'000'000} << kShift) / tsc_hz) {
    start_line(rte_rdtsc(), monotonic_ns(), ideal_);
  }

  // Any lcore.
  std::uint64_t now_ns() const noexcept { return at(rte_rdtsc()); }

  std::uint64_t at(std::uint64_t tsc) const noexcept {
    while (true) {
      const std::uint32_t before = sequence_.load(std::memory_order_acquire);  // V1
      const std::uint64_t start_tsc = start_tsc_.load(std::memory_order_relaxed);
      const std::uint64_t start_ns = start_ns_.load(std::memory_order_relaxed);
      const std::uint64_t slope = slope_.load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);  // V2
      if ((before & 1) == 0 && sequence_.load(std::memory_order_relaxed) == before) {
        // The TSC may have been read just before the line was drawn anew.
        return tsc >= start_tsc ? start_ns + scaled(tsc - start_tsc, slope)
                                : start_ns - scaled(start_tsc - tsc, slope);
      }
      rte_pause();
    }
  }

  // The main lcore, about once a second.
  void anchor() noexcept { anchor(rte_rdtsc(), monotonic_ns()); }

  void anchor(std::uint64_t tsc, std::uint64_t real_ns) noexcept {
    const std::uint64_t told_ns = at(tsc);
    const auto error = static_cast<std::int64_t>(real_ns - told_ns);
    if (error > kLargestSlew || error < -kLargestSlew) {
      start_line(tsc, real_ns, ideal_);
      return;
    }
    const double tilt = 1.0 + static_cast<double>(error) / 1e9;
    start_line(tsc, told_ns, static_cast<std::uint64_t>(static_cast<double>(ideal_) * tilt));
  }

private:
  static constexpr unsigned kShift = 32;
  static constexpr std::int64_t kLargestSlew = 50'000'000;

  static std::uint64_t scaled(std::uint64_t ticks, std::uint64_t slope) noexcept {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(ticks) * slope) >> kShift);
  }
  void start_line(std::uint64_t tsc, std::uint64_t ns, std::uint64_t slope) noexcept {
    const std::uint32_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);  // W1
    start_tsc_.store(tsc, std::memory_order_relaxed);
    start_ns_.store(ns, std::memory_order_relaxed);
    slope_.store(slope, std::memory_order_relaxed);
    sequence_.store(sequence + 2, std::memory_order_release);  // W2
  }

  std::atomic<std::uint32_t> sequence_{0};  // main: rw, workers: ro, like the next three
  std::atomic<std::uint64_t> start_tsc_{0};
  std::atomic<std::uint64_t> start_ns_{0};
  std::atomic<std::uint64_t> slope_{0};  // nanoseconds per tick, 32 fraction bits
  const std::uint64_t ideal_;
};

}  // namespace turnpike::dataplane
