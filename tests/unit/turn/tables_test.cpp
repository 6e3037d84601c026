// SPDX-License-Identifier: BSD-3-Clause
// Timer wheel, slot pool and flat index against plain containers.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <unordered_map>

#include "common/turn/flat_index.hpp"
#include "common/turn/slot_pool.hpp"
#include "common/turn/timer_wheel.hpp"

namespace turnpike::turn {
namespace {

struct Nodes {
  std::vector<TimerNode> nodes;
  TimerNode& timer_node(TimerRef ref) { return nodes[ref]; }
};
using Wheel = TimerWheel<Nodes>;

TEST(TimerWheel, fires_within_a_tick_and_never_early) {
  Nodes nodes{std::vector<TimerNode>(1)};
  Wheel wheel(nodes);
  EXPECT_EQ(wheel.next(), kNever);
  for (const Time delay : std::initializer_list<Time>{Time(0), Time(1), Wheel::kTick, seconds(1),
                                                      seconds(300), seconds(86400 * 40)}) {
    const Time start = seconds(123456);
    wheel.advance(start, [](TimerRef) { FAIL(); });
    Wheel fresh(nodes);
    nodes.nodes[0] = {};
    fresh.advance(start, [](TimerRef) { FAIL(); });
    fresh.schedule(0, start + delay);
    int wakeups = 0;
    bool fired = false;
    while (!fired) {
      const Time next = fresh.next();
      ASSERT_LE(next, start + delay + 2 * Wheel::kTick);
      ++wakeups;
      fresh.advance(next, [&](TimerRef) {
        fired = true;
        EXPECT_GE(next, start + delay);
      });
    }
    EXPECT_LE(wakeups, 6);
    EXPECT_TRUE(fresh.empty());
  }
}

TEST(TimerWheel, callbacks_may_schedule_and_cancel) {
  Nodes nodes{std::vector<TimerNode>(4)};
  Wheel wheel(nodes);
  for (TimerRef ref = 0; ref < 3; ++ref) wheel.schedule(ref, seconds(5));  // one slot
  std::vector<TimerRef> fired;
  wheel.advance(seconds(6), [&](TimerRef ref) {
    fired.push_back(ref);
    for (TimerRef other = 0; other < 3; ++other) wheel.cancel(other);
    wheel.schedule(3, seconds(7));
  });
  EXPECT_EQ(fired.size(), 1u);
  wheel.advance(seconds(8), [&](TimerRef ref) { fired.push_back(ref); });
  EXPECT_EQ(fired.back(), 3u);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheel, extremes) {
  Nodes nodes{std::vector<TimerNode>(2)};
  Wheel wheel(nodes);
  wheel.schedule(0, Time::max());
  wheel.schedule(1, Time::min());
  int fired = 0;
  wheel.advance(seconds(1), [&](TimerRef ref) {
    EXPECT_EQ(ref, 1u);
    ++fired;
  });
  EXPECT_EQ(fired, 1);
  wheel.advance(Time::max(), [&](TimerRef) { ++fired; });
  wheel.schedule(1, Time::max());
  wheel.cancel(0);
  wheel.cancel(0);
  wheel.cancel(1);
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.next(), kNever);
}

TEST(TimerWheel, against_a_sorted_map) {
  std::mt19937_64 random(11);
  constexpr std::size_t kTimers = 200;
  Nodes nodes{std::vector<TimerNode>(kTimers)};
  Wheel wheel(nodes);
  std::map<TimerRef, Time> model;
  Time now = seconds(100'000);
  wheel.advance(now, [](TimerRef) {});
  const std::array<std::int64_t, 5> scales = {1'000, 200'000'000, 20'000'000'000, 2'000'000'000'000,
                                              90'000'000'000'000};
  for (int step = 0; step < 100'000; ++step) {
    const TimerRef ref = random() % kTimers;
    const auto dice = random() % 10;
    if (dice < 5) {
      const Time deadline =
          now + Time(static_cast<std::int64_t>(random() %
                                               static_cast<std::uint64_t>(scales[random() % scales.size()])));
      wheel.schedule(ref, deadline);
      model[ref] = deadline;
    } else if (dice < 7) {
      wheel.cancel(ref);
      model.erase(ref);
    } else {
      now += Time(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(scales[random() % 4])));
      wheel.advance(now, [&](TimerRef fired) {
        const auto found = model.find(fired);
        ASSERT_NE(found, model.end());
        ASSERT_LE(found->second, now);
        model.erase(found);
      });
      for (const auto& [left, deadline] : model) ASSERT_GT(deadline + 2 * Wheel::kTick, now) << left;
    }
    ASSERT_EQ(wheel.empty(), model.empty());
    for (const auto& [left, deadline] : model) ASSERT_LE(wheel.next(), deadline + 2 * Wheel::kTick) << left;
  }
}

TEST(SlotPool, lives_of_a_slot) {
  SlotPool<int> pool(2);
  const auto a = *pool.take();
  const auto b = *pool.take();
  EXPECT_FALSE(pool.take());
  pool[a] = 7;
  const auto generation = pool.generation(a);
  EXPECT_NE(generation, 0u);
  EXPECT_TRUE(pool.is_live(a, generation));
  EXPECT_FALSE(pool.is_live(a, generation + 1));
  EXPECT_FALSE(pool.is_live(99, 1));
  pool.retire(a);
  EXPECT_FALSE(pool.is_live(a, generation));
  EXPECT_FALSE(pool.take());
  EXPECT_EQ(pool.available(), 0u);
  pool.release(a);
  EXPECT_EQ(*pool.take(), a);
  EXPECT_NE(pool.generation(a), generation);
  EXPECT_EQ(pool[a], 0);
  int seen = 0;
  pool.for_each_live([&](std::uint32_t) { ++seen; });
  EXPECT_EQ(seen, 2);
  pool.retire(b);
  EXPECT_EQ(pool.live_count(), 1u);
}

TEST(SlotPool, grows_without_moving) {
  SlotPool<int> pool(5000);
  const auto first = *pool.take();
  int* where = &pool[first];
  for (int i = 1; i < 5000; ++i) pool[*pool.take()] = i;
  EXPECT_EQ(where, &pool[first]);
  EXPECT_FALSE(pool.take());
}

TEST(FlatIndex, against_a_hash_map) {
  std::mt19937_64 random(17);
  FlatIndex index;
  std::unordered_map<std::uint64_t, std::uint64_t> model;  // key -> ref; several keys share a hash
  const auto hash = [](std::uint64_t key) { return (key % 97) * 0x9E3779B97F4A7C15ull; };
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t key = random() % 400;
    const std::uint64_t ref = key * 3 + 1;
    const auto found = index.find(hash(key), [&](FlatIndex::Ref candidate) { return candidate == ref; });
    ASSERT_EQ(found != FlatIndex::kNone, model.count(key) == 1);
    if (random() % 2 == 0 && model.count(key) == 0) {
      index.insert(hash(key), ref);
      model[key] = ref;
    } else if (random() % 2 == 0) {
      index.erase(hash(key), ref);
      model.erase(key);
    }
    ASSERT_EQ(index.size(), model.size());
  }
}

TEST(FlatIndex, one_reference_under_two_keys) {
  FlatIndex index;
  index.insert(64, 5);  // neighbours in the table
  index.insert(128, 5);
  index.erase(128, 5);
  const auto any = [](FlatIndex::Ref) { return true; };
  EXPECT_EQ(index.find(64, any), 5u);
  EXPECT_EQ(index.find(128, any), FlatIndex::kNone);
}

}  // namespace
}  // namespace turnpike::turn
