// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/clock.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace turnpike::dataplane {
namespace {

constexpr std::uint64_t kHz = 2'000'000'000;
constexpr std::uint64_t kSecondNs = 1'000'000'000;

TEST(Clock, follows_the_line_between_anchors) {
  Clock clock(kHz);
  clock.anchor(1000, 10 * kSecondNs);  // far from now: taken at once
  EXPECT_EQ(clock.at(1000), 10 * kSecondNs);
  EXPECT_NEAR(static_cast<double>(clock.at(1000 + kHz)), 11.0 * kSecondNs, 2);
  EXPECT_NEAR(static_cast<double>(clock.at(1000 + 3600 * kHz)), 3610.0 * kSecondNs, 5000)
      << "an hour without anchor";
}

TEST(Clock, never_steps_back_and_catches_up) {
  Clock clock(kHz);
  std::uint64_t tsc = 1'000'000;
  std::uint64_t real = 50 * kSecondNs;
  clock.anchor(tsc, real);
  std::uint64_t last = clock.at(tsc);
  // The TSC runs 200 ppm faster than its nominal rate: left alone the clock would gain 200 µs a second.
  for (int second = 0; second < 60; ++second) {
    for (int part = 1; part <= 10; ++part) {
      const std::uint64_t now = clock.at(tsc + kHz / 10 * part + kHz / 50000 * part);
      ASSERT_GE(now, last);
      last = now;
    }
    tsc += kHz + kHz / 5000;
    real += kSecondNs;
    clock.anchor(tsc, real);
    ASSERT_GE(clock.at(tsc), last);
    ASSERT_LT(std::abs(static_cast<double>(clock.at(tsc)) - static_cast<double>(real)), 300'000) << second;
  }
}

TEST(Clock, a_jump_is_taken_at_once) {
  Clock clock(kHz);
  clock.anchor(0, kSecondNs);
  clock.anchor(kHz, 500 * kSecondNs);
  EXPECT_EQ(clock.at(kHz), 500 * kSecondNs);
}

TEST(Clock, a_tsc_read_before_the_anchor_is_no_wrap) {
  Clock clock(kHz);
  clock.anchor(2 * kHz, 100 * kSecondNs);
  EXPECT_NEAR(static_cast<double>(clock.at(2 * kHz - 200)), 100.0 * kSecondNs - 100, 1);
}

TEST(Clock, readers_see_whole_anchors) {
  // The line is the same however often it is drawn: a torn read would be far off it.
  Clock clock(1'000'000'000);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; !stop.load(); ++i) clock.anchor(i << 32, (i << 32) + 1'000'000'000'000);
  });
  clock.anchor(std::uint64_t{1} << 32, (std::uint64_t{1} << 32) + 1'000'000'000'000);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t tsc = std::uint64_t{5} << 32;
    ASSERT_NEAR(static_cast<double>(clock.at(tsc)), static_cast<double>(tsc + 1'000'000'000'000), 16);
  }
  stop = true;
  writer.join();
}

TEST(Clock, agrees_with_the_kernel) {
  const std::uint64_t tsc = rte_rdtsc();
  const std::uint64_t start = monotonic_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::uint64_t hz = (rte_rdtsc() - tsc) * kSecondNs / (monotonic_ns() - start);
  const Clock clock(hz);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_NEAR(static_cast<double>(clock.now_ns()), static_cast<double>(monotonic_ns()), 2'000'000);
}

}  // namespace
}  // namespace turnpike::dataplane
