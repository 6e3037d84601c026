// SPDX-License-Identifier: BSD-3-Clause
// When a drain begins and when it is over, by a clock of our own.
#include "control/runtime/drain.hpp"

#include <gtest/gtest.h>
#include <signal.h>

namespace turnpike::control {
namespace {

class DrainTest : public ::testing::Test {
protected:
  Time at(int second) { return seconds(1000 + second); }

  boost::asio::io_context io;
  std::size_t allocations = 5;
  bool draining = false;
  int ends = 0;
  std::optional<DrainOrder> kept;
  Drain drain{io,
              {[this] { return allocations; }, [this](bool on) { draining = on; },
               [this](const std::optional<DrainOrder>& order) { kept = order; }, [this] { ++ends; }}};
};

TEST_F(DrainTest, is_over_when_all_are_gone_at_two_looks) {
  drain.start({}, at(0));
  EXPECT_TRUE(draining);
  drain.check(at(1000));
  EXPECT_EQ(ends, 0) << "it waits for ever";
  allocations = 0;
  drain.check(at(1001));
  EXPECT_EQ(ends, 0) << "the last answer may not have left";
  drain.check(at(1002));
  EXPECT_EQ(ends, 1);
  EXPECT_TRUE(drain.is_over());
  drain.check(at(1003));
  EXPECT_EQ(ends, 1);
}

TEST_F(DrainTest, a_reserved_port_taken_meanwhile_prolongs_it) {
  drain.start({}, at(0));
  allocations = 0;
  drain.check(at(1));
  allocations = 1;
  drain.check(at(2));
  allocations = 0;
  drain.check(at(3));
  EXPECT_EQ(ends, 0);
  drain.check(at(4));
  EXPECT_EQ(ends, 1);
}

TEST_F(DrainTest, so_many_may_be_left) {
  drain.start({4, seconds(0)}, at(0));
  drain.check(at(1));
  drain.check(at(2));
  EXPECT_EQ(ends, 0);
  allocations = 4;
  drain.check(at(3));
  drain.check(at(4));
  EXPECT_EQ(ends, 1);
}

TEST_F(DrainTest, ends_at_the_deadline) {
  drain.start({0, seconds(60)}, at(0));
  EXPECT_EQ(drain.state(at(20))->left, Time(seconds(40)));
  EXPECT_EQ(drain.state(at(20))->allocations, 5u);
  drain.check(at(59));
  EXPECT_EQ(ends, 0);
  drain.check(at(60));
  EXPECT_EQ(ends, 1);
}

TEST_F(DrainTest, once_more_sets_other_limits) {
  drain.start({0, seconds(60)}, at(0));
  drain.start({7, seconds(0)}, at(30));
  EXPECT_FALSE(drain.state(at(31))->left);
  EXPECT_EQ(drain.state(at(31))->min_allocations, 7u);
  drain.check(at(100));
  EXPECT_EQ(ends, 0) << "the first look that finds few enough";
  drain.check(at(101));
  EXPECT_EQ(ends, 1);
}

TEST_F(DrainTest, undone_it_serves_again) {
  drain.undo();
  EXPECT_FALSE(drain.state(at(0)));
  drain.start({9, seconds(1)}, at(0));
  drain.undo();
  EXPECT_FALSE(draining);
  EXPECT_FALSE(drain.state(at(0)));
  drain.check(at(10));
  drain.check(at(11));
  EXPECT_EQ(ends, 0);
  EXPECT_FALSE(drain.is_over());
}

TEST_F(DrainTest, the_next_control_goes_on_with_what_is_kept) {
  drain.start({4, seconds(60)}, at(0));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->min_allocations, 4u);
  EXPECT_EQ(kept->ends, at(60));
  draining = false;
  Drain next{io,
             {[this] { return allocations; }, [this](bool on) { draining = on; },
              [this](const std::optional<DrainOrder>& order) { kept = order; }, [this] { ++ends; }}};
  next.resume(*kept);
  EXPECT_TRUE(draining);
  EXPECT_EQ(next.state(at(20))->left, Time(seconds(40)));
  next.check(at(60));
  EXPECT_EQ(ends, 1);
  EXPECT_FALSE(kept) << "what is over is not begun again";
}

TEST_F(DrainTest, what_is_undone_is_not_kept) {
  drain.start({4, seconds(0)}, at(0));
  ASSERT_TRUE(kept);
  EXPECT_FALSE(kept->ends);
  drain.undo();
  EXPECT_FALSE(kept);
}

TEST_F(DrainTest, a_signal_begins_it_and_a_second_one_changes_nothing) {
  drain.watch_signal([] { return DrainLimits{3, seconds(0)}; });
  raise(SIGUSR1);
  for (int i = 0; i < 100 && !drain.state(at(0)); ++i) io.run_one_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(drain.state(at(0)));
  EXPECT_EQ(drain.state(at(0))->min_allocations, 3u);
  drain.start({1, seconds(0)}, at(0));
  raise(SIGUSR1);
  for (int i = 0; i < 3; ++i) io.run_one_for(std::chrono::milliseconds(300));
  EXPECT_EQ(drain.state(at(0))->min_allocations, 1u);
}

TEST_F(DrainTest, it_looks_by_itself) {
  allocations = 0;
  drain.start({}, at(0));
  io.run_for(std::chrono::seconds(5));  // nothing is left to do once it is over
  EXPECT_EQ(ends, 1);
}

}  // namespace
}  // namespace turnpike::control
