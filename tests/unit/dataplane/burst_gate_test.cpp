// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port/burst_gate.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace turnpike::dataplane {
namespace {

TEST(BurstGate, starts_closed_and_opens) {
  ASSERT_TRUE(BurstGate::prepare());
  BurstGate gate(1);
  EXPECT_FALSE(gate.enter(0));
  gate.open();
  EXPECT_TRUE(gate.enter(0));
  gate.leave(0);
  gate.close();
  EXPECT_FALSE(gate.is_open());
  EXPECT_FALSE(gate.enter(0));
}

TEST(BurstGate, close_waits_for_the_one_inside) {
  ASSERT_TRUE(BurstGate::prepare());
  BurstGate gate(1);
  gate.open();
  ASSERT_TRUE(gate.enter(0));
  std::atomic<bool> closed{false};
  std::thread closer([&] {
    gate.close();
    closed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(closed.load());
  gate.leave(0);
  closer.join();
  EXPECT_TRUE(closed.load());
}

// What the gate is for: memory that is taken away between close() and open() is never looked at.
TEST(BurstGate, nobody_is_inside_while_closed) {
  ASSERT_TRUE(BurstGate::prepare());
  constexpr std::size_t kWorkers = 2;
  BurstGate gate(kWorkers);
  std::atomic<bool> stop{false};
  std::atomic<bool> taken_apart{true};
  std::atomic<std::uint64_t> wrong{0};
  std::array<std::atomic<std::uint64_t>, kWorkers> bursts{};
  std::vector<std::thread> workers;
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      while (!stop.load(std::memory_order_relaxed)) {
        if (!gate.enter(worker)) continue;
        for (int look = 0; look < 20; ++look) wrong += taken_apart.load(std::memory_order_relaxed) ? 1 : 0;
        gate.leave(worker);
        bursts[worker].fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (int round = 0; round < 300; ++round) {
    taken_apart.store(false, std::memory_order_relaxed);
    gate.open();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    gate.close();
    taken_apart.store(true, std::memory_order_relaxed);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(wrong.load(), 0u);
  for (const auto& count : bursts) EXPECT_GT(count.load(), 0u);
}

}  // namespace
}  // namespace turnpike::dataplane
