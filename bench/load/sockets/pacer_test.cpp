// SPDX-License-Identifier: BSD-3-Clause
// The rate is held over any time, and a pause is no reason for a flood.
#include "bench/load/sockets/pacer.hpp"

#include <gtest/gtest.h>

namespace turnpike::load {
namespace {

using namespace std::chrono_literals;
using Clock = Pacer::Clock;

constexpr Clock::time_point kStart{100s};

// How many packets of bursts of `burst` leave until `end`, looked at every `step` from `begin` on.
std::uint64_t packets(Pacer& pacer, std::uint32_t burst, Clock::duration begin, Clock::duration end,
                      Clock::duration step) {
  std::uint64_t made = 0;
  for (Clock::duration now = begin; now < end; now += step) {
    while (pacer.due(kStart + now)) made += burst;
  }
  return made;
}

TEST(Pacer, HoldsTheRate) {
  for (const std::uint32_t burst : {1U, 32U}) {
    Pacer pacer(33'333, burst, kStart);
    const std::uint64_t made = packets(pacer, burst, 0ms, 3s, 100us);
    EXPECT_NEAR(static_cast<double>(made), 99'999, burst + 4);  // looked at every 100 us
    EXPECT_EQ(pacer.missed(), 0U);
  }
}

TEST(Pacer, CatchesUpAfterAHiccup) {
  Pacer pacer(10'000, 8, kStart);
  std::uint64_t made = packets(pacer, 8, 0ms, 1s, 100us);
  made += packets(pacer, 8, 1015ms, 2s, 100us);
  EXPECT_NEAR(static_cast<double>(made), 20'000, 8);
  EXPECT_EQ(pacer.missed(), 0U);
}

TEST(Pacer, GivesUpWhatAPauseMissed) {
  Pacer pacer(10'000, 8, kStart);
  std::uint64_t made = packets(pacer, 8, 0ms, 1s, 100us);
  const std::uint64_t at_once = packets(pacer, 8, 1500ms, 1500ms + 1us, 1us);
  EXPECT_LE(at_once, 16U);
  made += at_once + packets(pacer, 8, 1501ms, 2s, 100us);
  EXPECT_NEAR(static_cast<double>(pacer.missed()), 5'000, 16);
  EXPECT_NEAR(static_cast<double>(made + pacer.missed()), 20'000, 16);
}

TEST(Pacer, WhatIsDueInTheEndIsMissedAsWell) {
  Pacer pacer(10'000, 8, kStart);
  const std::uint64_t made = packets(pacer, 8, 0ms, 900ms, 100us);
  pacer.give_up(kStart + 1s);
  EXPECT_NEAR(static_cast<double>(pacer.missed()), 1'000, 8);
  EXPECT_NEAR(static_cast<double>(made + pacer.missed()), 10'000, 8);
  pacer.give_up(kStart + 1s);
  EXPECT_NEAR(static_cast<double>(made + pacer.missed()), 10'000, 8);
}

TEST(Pacer, CountsForDays) {
  Pacer pacer(1'000'000, 32, kStart);
  for (int hour = 1; hour <= 72; ++hour) pacer.give_up(kStart + std::chrono::hours(hour));
  EXPECT_LE(pacer.next() - (kStart + std::chrono::hours(72)), 32us);
  EXPECT_NEAR(static_cast<double>(pacer.missed()), 72.0 * 3600e6, 32);
}

}  // namespace
}  // namespace turnpike::load
