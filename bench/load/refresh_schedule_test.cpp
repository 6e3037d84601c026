// SPDX-License-Identifier: BSD-3-Clause
// Everyone in time, nobody twice.
#include "bench/load/refresh_schedule.hpp"

#include <gtest/gtest.h>

namespace turnpike::load {
namespace {

using namespace std::chrono_literals;

constexpr RefreshSchedule::Clock::time_point kSetUp{100s};

TEST(RefreshSchedule, is_due_after_the_interval_and_once) {
  RefreshSchedule schedule(2, 240s);
  schedule.renew(0, kSetUp);
  schedule.renew(1, kSetUp + 1s);
  EXPECT_FALSE(schedule.due(kSetUp + 239s));
  EXPECT_EQ(schedule.due(kSetUp + 240s), 0U);
  EXPECT_FALSE(schedule.due(kSetUp + 240s));
  EXPECT_EQ(schedule.due(kSetUp + 999s), 1U);
  EXPECT_FALSE(schedule.due(kSetUp + 999s));
}

TEST(RefreshSchedule, counts_from_the_last_renewal) {
  RefreshSchedule schedule(1, 10s);
  schedule.renew(0, kSetUp);
  schedule.renew(0, kSetUp + 5s);
  EXPECT_FALSE(schedule.due(kSetUp + 14s));
  EXPECT_EQ(schedule.due(kSetUp + 15s), 0U);
}

TEST(RefreshSchedule, forgets_what_has_ended) {
  RefreshSchedule schedule(2, 10s);
  schedule.renew(0, kSetUp);
  schedule.renew(1, kSetUp);
  schedule.end(0);
  EXPECT_EQ(schedule.due(kSetUp + 10s), 1U);
  EXPECT_FALSE(schedule.due(kSetUp + 99s));
}

TEST(RefreshSchedule, follows_a_shorter_lifetime) {
  RefreshSchedule schedule(1, 240s);
  schedule.shorten(30s);
  schedule.shorten(60s);
  schedule.renew(0, kSetUp);
  EXPECT_FALSE(schedule.due(kSetUp + 29s));
  EXPECT_EQ(schedule.due(kSetUp + 30s), 0U);
}

}  // namespace
}  // namespace turnpike::load
