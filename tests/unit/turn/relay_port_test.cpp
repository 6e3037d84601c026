// SPDX-License-Identifier: BSD-3-Clause
// Which port an Allocate gets: chosen at random, in pairs, reserved for later, at rest after its time (RFC
// 8656 section 7.2).
#include <set>

#include "tests/unit/turn/allocate_fixture.hpp"

namespace turnpike::turn {
namespace {

TEST_F(TurnAllocate, C088_pair_needs_both_halves) {
  config.min_port = 50000;
  config.max_port = 50001;
  auto a = numbered(1), b = numbered(2);
  const Reply first = allocate(a);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(allocate(b, add_pair).error, 508);
  EXPECT_EQ(allocate(b).relayed.at(0).port, first.relayed.at(0).port ^ 1);
}

TEST_F(TurnAllocate, C094_alloc_ports_exhausted_508) {
  config.min_port = 50000;
  config.max_port = 50009;
  std::vector<TurnClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(numbered(i));
    ASSERT_TRUE(allocate(clients.back()).ok());
  }
  auto late = numbered(99);
  EXPECT_EQ(allocate(late).error, 508);
  for (TurnClient& c : clients) EXPECT_TRUE(refresh(c).ok());
}

TEST_F(TurnAllocate, C095_relay_address_unique) {
  config.min_port = 50000;
  config.max_port = 50399;
  config.relay_addresses.push_back({address("198.51.100.11"), address("198.51.100.11")});
  std::set<Endpoint> relayed;
  for (int i = 0; i < 800; ++i) {
    auto c = numbered(i);
    const Reply reply = allocate(c);
    ASSERT_TRUE(reply.ok());
    EXPECT_TRUE(relayed.insert(reply.relayed.at(0)).second);
  }
}

TEST_F(TurnAllocate, C096_relay_port_choice) {
  std::set<std::uint16_t> ports;
  int ascending = 0;
  std::uint16_t last = 0;
  for (int i = 0; i < 400; ++i) {
    auto c = numbered(i);
    const std::uint16_t port = allocate(c).relayed.at(0).port;
    EXPECT_GE(port, 49152);
    ports.insert(port);
    ascending += port > last ? 1 : 0;
    last = port;
  }
  EXPECT_EQ(ports.size(), 400u);
  EXPECT_GT(*ports.rbegin() - *ports.begin(), 14000);  // all over the range
  EXPECT_NEAR(ascending, 200, 60);                     // in no order
}

TEST_F(TurnAllocate, C096_freed_port_rests) {
  config.min_port = config.max_port = 50000;
  auto a = numbered(1), b = numbered(2);
  ASSERT_TRUE(allocate(a).ok());
  ASSERT_TRUE(refresh(a, 0).ok());
  EXPECT_EQ(allocate(b).error, 508);
  advance(seconds(9));
  EXPECT_EQ(allocate(b).error, 508);
  advance(seconds(1));
  EXPECT_TRUE(allocate(b).ok());
}

TEST_F(TurnAllocate, C096_port_rests_only_after_the_worker_forgot_it) {
  config.min_port = config.max_port = 50000;
  apply_at_once = false;
  auto a = numbered(1), b = numbered(2);
  ASSERT_TRUE(allocate(a).ok());
  ASSERT_TRUE(refresh(a, 0).ok());
  advance(seconds(60));
  EXPECT_EQ(allocate(b).error, 508);
  apply_all();
  EXPECT_EQ(allocate(b).error, 508);
  advance(seconds(10));
  EXPECT_TRUE(allocate(b).ok());
}

TEST_F(TurnAllocate, C097_even_port_pair) {
  for (int i = 0; i < 50; ++i) {
    auto a = numbered(2 * i), b = numbered(2 * i + 1);
    const Reply first = allocate(a, add_pair);
    ASSERT_TRUE(first.token);
    EXPECT_EQ(first.relayed.at(0).port % 2, 0);
    const Reply second = allocate(b, token(*first.token));
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(second.relayed.at(0).address, first.relayed[0].address);
    EXPECT_EQ(second.relayed[0].port, first.relayed[0].port + 1);
    EXPECT_FALSE(second.token);
  }
}

TEST_F(TurnAllocate, C098_reservation_rules) {
  auto a = client();
  const Reply first = allocate(a, add_pair);
  ASSERT_TRUE(first.token);
  advance(std::chrono::milliseconds(29'999));
  auto b =
      client("[2001:db8:9::1]:7000", "bob", "hunter2", Transport::kTls);  // another tuple, family, transport
  const Reply second = allocate(b, token(*first.token));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.relayed.at(0).port, first.relayed.at(0).port + 1);
}

TEST_F(TurnAllocate, C098_unclaimed_port_returns) {
  config.min_port = 50000;
  config.max_port = 50001;
  auto a = numbered(1), b = numbered(2);
  ASSERT_TRUE(allocate(a, add_pair).ok());
  EXPECT_EQ(allocate(b).error, 508);
  advance(seconds(30));
  EXPECT_EQ(allocate(b).relayed.at(0).port, 50001);
}

TEST_F(TurnAllocate, C098_reservations_are_bounded) {
  config.max_reservations = 1;
  auto a = numbered(1), b = numbered(2);
  ASSERT_TRUE(allocate(a, add_pair).ok());
  EXPECT_EQ(allocate(b, add_pair).error, 508);
  EXPECT_TRUE(allocate(b, add_even).ok());
}

TEST_F(TurnAllocate, C235_habit_uclient_even_port_pair) {
  config.workers = 4;  // the second client's 5-tuple may belong to another worker than the pair
  auto a = client();
  auto b = client("203.0.113.5:5001");
  const Reply first = allocate(a, add_pair, 0);
  const Reply second = allocate(b, token(*first.token), 3);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.relayed.at(0).port, first.relayed.at(0).port + 1);
  EXPECT_EQ(only<InstallAllocation>()->allocation.worker, 3);
}

TEST_F(TurnAllocate, ports_come_from_the_workers_own_block) {
  config.workers = 3;
  for (int i = 0; i < 60; ++i) {
    auto c = numbered(i);
    const auto worker = static_cast<WorkerIndex>(i % 3);
    const std::uint16_t port = allocate(c, {}, worker).relayed.at(0).port;
    EXPECT_EQ(owner_of_port(port, 3, config.min_port, config.max_port), worker);
  }
}

}  // namespace
}  // namespace turnpike::turn
