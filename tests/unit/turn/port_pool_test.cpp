// SPDX-License-Identifier: BSD-3-Clause
// Relay ports: blocks, picks, rest.
#include "common/turn/port_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/support/test_crypto.hpp"

namespace turnpike::turn {
namespace {

TEST(Steering, every_port_has_the_worker_whose_block_it_is_in) {
  for (const auto& [min, max] : std::vector<std::pair<int, int>>{{49152, 65535},
                                                                 {49153, 65534},
                                                                 {1024, 65535},
                                                                 {50000, 50000},
                                                                 {50001, 50001},
                                                                 {50000, 50006},
                                                                 {50001, 50008}}) {
    for (const int workers : {1, 2, 3, 5, 7, 16, 64, 255}) {
      std::uint32_t total = 0;
      int next = min;
      for (int worker = 0; worker < workers; ++worker) {
        const PortRange range =
            worker_ports(static_cast<WorkerIndex>(worker), static_cast<WorkerIndex>(workers),
                         static_cast<std::uint16_t>(min), static_cast<std::uint16_t>(max));
        total += range.size();
        if (range.empty()) continue;
        ASSERT_EQ(range.first, next);  // contiguous, in order
        next = range.last + 1;
        EXPECT_TRUE(range.first == min || range.first % 2 == 0);
        EXPECT_TRUE(range.last == max || range.last % 2 == 1);
        for (const int port : {int{range.first}, int{range.last}, (range.first + range.last) / 2}) {
          ASSERT_EQ(owner_of_port(static_cast<std::uint16_t>(port), static_cast<WorkerIndex>(workers),
                                  static_cast<std::uint16_t>(min), static_cast<std::uint16_t>(max)),
                    worker);
        }
      }
      EXPECT_EQ(total, static_cast<std::uint32_t>(max - min + 1)) << min << "-" << max << "/" << workers;
    }
  }
}

TEST(Steering, exhaustive_over_one_range) {
  for (int port = 0; port < 65536; ++port) {
    const auto number = static_cast<std::uint16_t>(port);
    const WorkerIndex owner = owner_of_port(number, 6, 40001, 60000);
    if (port < 40001 || port > 60000) {
      ASSERT_EQ(owner, kNoWorker);
    } else {
      ASSERT_TRUE(worker_ports(owner, 6, 40001, 60000).contains(number));
      const auto odd = static_cast<std::uint16_t>(port | 1);
      ASSERT_TRUE(odd > 60000 || owner == owner_of_port(odd, 6, 40001, 60000));
    }
  }
  EXPECT_EQ(owner_of_port(5, 0, 1, 10), kNoWorker);
  EXPECT_TRUE(worker_ports(0, 1, 10, 9).empty());
  EXPECT_TRUE(worker_ports(3, 3, 1, 100).empty());
}

TEST(RandomSet, against_a_plain_set) {
  RandomSet set(300);
  std::set<std::uint32_t> model;
  for (std::uint32_t i = 0; i < 300; ++i) model.insert(i);
  std::mt19937 random(3);
  for (int step = 0; step < 20000; ++step) {
    const std::uint32_t number = random() % 300;
    if (random() % 2 == 0) {
      set.insert(number);
      model.insert(number);
    } else {
      set.erase(number);
      model.erase(number);
    }
    ASSERT_EQ(set.size(), model.size());
    ASSERT_EQ(set.contains(number), model.count(number) == 1);
    if (step % 100 != 0) continue;
    std::set<std::uint32_t> listed;
    for (std::uint32_t rank = 0; rank < set.size(); ++rank) listed.insert(set.at(rank));
    ASSERT_EQ(listed, model);
  }
  EXPECT_FALSE(set.contains(300));
  RandomSet whole(65536);
  whole.erase(65535);
  EXPECT_EQ(whole.size(), 65535u);
  EXPECT_FALSE(whole.contains(65535));
}

class PortPoolTest : public ::testing::Test {
protected:
  using F = wire::Family;
  PortPool pool(std::vector<F> families, std::uint16_t min, std::uint16_t max, WorkerIndex workers = 1) {
    return PortPool(families, {min, max, workers, seconds(10)}, random);
  }
  test::TestCrypto crypto;
  RandomSource random{crypto};
  Time now = seconds(1000);
};

TEST_F(PortPoolTest, gives_every_port_once) {
  auto ports = pool({F::kIpv4}, 50001, 50100);
  std::set<std::uint16_t> taken;
  for (int i = 0; i < 100; ++i) {
    const auto port = ports.take(F::kIpv4, 0, PortWish::kAny, now);
    ASSERT_TRUE(port);
    EXPECT_TRUE(taken.insert(port->port).second);
  }
  EXPECT_EQ(*taken.begin(), 50001);
  EXPECT_EQ(*taken.rbegin(), 50100);
  EXPECT_FALSE(ports.take(F::kIpv4, 0, PortWish::kAny, now));
  EXPECT_FALSE(ports.take(F::kIpv6, 0, PortWish::kAny, now));
  EXPECT_TRUE(ports.has(F::kIpv4));
  EXPECT_FALSE(ports.has(F::kIpv6));
}

TEST_F(PortPoolTest, even_ports_and_pairs) {
  auto ports = pool({F::kIpv4}, 50001, 50008);  // even: 2 4 6 8; whole pairs: 2, 4, 6
  std::set<std::uint16_t> firsts;
  for (int i = 0; i < 3; ++i) {
    const auto pair = ports.take(F::kIpv4, 0, PortWish::kPair, now);
    ASSERT_TRUE(pair);
    firsts.insert(pair->port);
  }
  EXPECT_EQ(firsts, (std::set<std::uint16_t>{50002, 50004, 50006}));
  EXPECT_FALSE(ports.take(F::kIpv4, 0, PortWish::kPair, now));
  EXPECT_EQ(ports.take(F::kIpv4, 0, PortWish::kEven, now)->port, 50008);
  EXPECT_FALSE(ports.take(F::kIpv4, 0, PortWish::kEven, now));
  EXPECT_EQ(ports.take(F::kIpv4, 0, PortWish::kAny, now)->port, 50001);
  ports.put_back({0, 50005});
  EXPECT_FALSE(ports.take(F::kIpv4, 0, PortWish::kPair, now));
  ports.put_back({0, 50004});
  EXPECT_EQ(ports.take(F::kIpv4, 0, PortWish::kPair, now)->port, 50004);
}

TEST_F(PortPoolTest, released_ports_rest) {
  auto ports = pool({F::kIpv4}, 50000, 50000);
  const auto port = *ports.take(F::kIpv4, 0, PortWish::kAny, now);
  ports.release(port, now);
  EXPECT_FALSE(ports.take(F::kIpv4, 0, PortWish::kAny, now + seconds(10) - Time(1)));
  EXPECT_TRUE(ports.take(F::kIpv4, 0, PortWish::kAny, now + seconds(10)));
}

TEST_F(PortPoolTest, spreads_over_addresses_of_the_family) {
  auto ports = pool({F::kIpv4, F::kIpv6, F::kIpv4}, 50000, 50099);
  std::map<int, int> used;
  for (int i = 0; i < 100; ++i) ++used[ports.take(F::kIpv4, 0, PortWish::kAny, now)->address];
  EXPECT_EQ(used[0], 50);
  EXPECT_EQ(used[1], 0);
  EXPECT_EQ(used[2], 50);
  EXPECT_EQ(ports.take(F::kIpv6, 0, PortWish::kAny, now)->address, 1);
}

TEST_F(PortPoolTest, workers_have_their_own) {
  auto ports = pool({F::kIpv4}, 50000, 50007, 4);
  for (WorkerIndex worker = 0; worker < 4; ++worker) {
    EXPECT_EQ(ports.free_count(F::kIpv4, worker), 2u);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(owner_of_port(ports.take(F::kIpv4, worker, PortWish::kAny, now)->port, 4, 50000, 50007),
                worker);
    }
    EXPECT_FALSE(ports.take(F::kIpv4, worker, PortWish::kAny, now));
  }
}

TEST_F(PortPoolTest, picks_are_spread_evenly) {
  std::map<std::uint16_t, int> hits;
  auto ports = pool({F::kIpv4}, 50000, 50063);
  for (int i = 0; i < 64000; ++i) {
    const auto port = *ports.take(F::kIpv4, 0, PortWish::kAny, now);
    ++hits[port.port];
    ports.put_back(port);
  }
  ASSERT_EQ(hits.size(), 64u);
  for (const auto& [port, count] : hits) EXPECT_NEAR(count, 1000, 200) << port;
}

TEST_F(PortPoolTest, against_a_plain_model) {
  auto ports = pool({F::kIpv4}, 50001, 50040, 3);
  std::set<std::uint16_t> free;
  for (int port = 50001; port <= 50040; ++port) free.insert(static_cast<std::uint16_t>(port));
  std::vector<std::uint16_t> taken;
  std::mt19937 dice(5);
  for (int step = 0; step < 20000; ++step) {
    const auto worker = static_cast<WorkerIndex>(dice() % 3);
    const auto wish = static_cast<PortWish>(dice() % 3);
    const PortRange range = worker_ports(worker, 3, 50001, 50040);
    const bool possible = std::any_of(free.begin(), free.end(), [&](std::uint16_t port) {
      if (!range.contains(port)) return false;
      if (wish == PortWish::kAny) return true;
      return port % 2 == 0 &&
             (wish == PortWish::kEven || free.count(static_cast<std::uint16_t>(port + 1)) == 1);
    });
    if (dice() % 2 == 0) {
      const auto port = ports.take(F::kIpv4, worker, wish, now);
      ASSERT_EQ(port.has_value(), possible);
      if (!port) continue;
      for (int i = 0; i < (wish == PortWish::kPair ? 2 : 1); ++i) {
        const auto number = static_cast<std::uint16_t>(port->port + i);
        ASSERT_EQ(free.erase(number), 1u);
        taken.push_back(number);
      }
    } else if (!taken.empty()) {
      const std::size_t which = dice() % taken.size();
      ports.put_back({0, taken[which]});
      free.insert(taken[which]);
      taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
}

}  // namespace
}  // namespace turnpike::turn
