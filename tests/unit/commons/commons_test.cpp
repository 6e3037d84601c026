// SPDX-License-Identifier: BSD-3-Clause
// Two servers that share one relay: what users see of it is the same at both.
#include <optional>

#include "tests/unit/commons/server_part.hpp"

namespace turnpike::turn {
namespace {

class TwoServers : public ::testing::Test {
protected:
  // Both read the configuration when one is first needed.
  ServerPart& part(WorkerIndex number) {
    if (!commons_) {
      commons_.emplace(config, 1);
      for (WorkerIndex each : {0, 1}) parts_[each].emplace(config, each, *commons_);
    }
    return *parts_[number];
  }
  Commons& shared() {
    part(0);
    return *commons_;
  }
  void advance(Time by) {
    for (WorkerIndex each : {0, 1}) part(each).now += by;
  }

  Config config = relay_config();

private:
  std::optional<Commons> commons_;
  std::optional<ServerPart> parts_[2];
};

TEST_F(TwoServers, each_picks_ports_of_its_own_workers) {
  config.min_port = 50000;
  config.max_port = 50003;
  for (WorkerIndex number : {0, 1}) {
    auto a = part(number).client(1), b = part(number).client(2), c = part(number).client(3);
    for (TurnClient* each : {&a, &b}) {
      const Reply reply = part(number).allocate(*each);
      ASSERT_TRUE(reply.ok()) << reply.error;
      EXPECT_EQ(reply.relayed.at(0).port / 2, 25000 + number);
    }
    EXPECT_EQ(part(number).allocate(c).error, 508) << "the other server's ports are not for us";
  }
}

TEST_F(TwoServers, what_comes_for_a_worker_of_the_other_one_is_dropped) {
  auto a = part(0).client(1);
  Effects effects;
  const LookupId lookup = part(0).server().handle_client(
      a.tuple, 1, a.plain(Method::kAllocate, stun::MessageClass::kRequest), seconds(1), effects);
  EXPECT_EQ(lookup, kNoLookup);
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(part(0).server().counters().dropped_first_byte, 1u);
}

TEST_F(TwoServers, who_goes_on_after_a_takeover_is_counted) {
  UserTable::User* user = shared().rejoin({"example.org", "alice", "alice"}, 0);
  EXPECT_EQ(shared().allocation_count(), 1u);
  shared().leave(user, 0);
  EXPECT_EQ(shared().allocation_count(), 0u);
}

TEST_F(TwoServers, allocations_of_both_are_counted) {
  Commons& commons = shared();
  auto a = part(0).client(1), b = part(1).client(2), c = part(1).client(3);
  ASSERT_TRUE(part(0).allocate(a).ok());
  ASSERT_TRUE(part(1).allocate(b).ok());
  EXPECT_EQ(commons.allocation_count(), 2u);
  ASSERT_TRUE(part(1).refresh(b, 0).ok());
  EXPECT_EQ(commons.allocation_count(), 1u);
  for (WorkerIndex each : {0, 1}) part(each).server().set_draining(true);
  EXPECT_EQ(part(1).allocate(c).error, 508);
  EXPECT_EQ(commons.allocation_count(), 1u);
}

TEST_F(TwoServers, quotas_count_at_both) {
  config.quotas.user = 2;
  config.quotas.total = 3;
  auto a = part(0).client(1), b = part(1).client(2), c = part(0).client(3);
  ASSERT_TRUE(part(0).allocate(a).ok());
  ASSERT_TRUE(part(1).allocate(b).ok());
  EXPECT_EQ(part(0).allocate(c).error, 486) << "alice has two";
  auto d = part(0).client(4, "bob"), e = part(1).client(5, "bob");
  ASSERT_TRUE(part(0).allocate(d).ok());
  EXPECT_EQ(part(1).allocate(e).error, 486) << "the realm has three";
  ASSERT_TRUE(part(1).refresh(b, 0).ok());
  EXPECT_TRUE(part(0).allocate(c).ok());
}

TEST_F(TwoServers, a_refused_allocate_counts_for_nothing) {
  config.quotas.user = 2;
  config.quotas.max_bps = 60;
  config.quotas.bps_capacity = 120;
  config.max_allocations = 1;
  auto a = part(0).client(1), b = part(0).client(2), c = part(1).client(3);
  ASSERT_TRUE(part(0).allocate(a).ok());
  EXPECT_EQ(part(0).allocate(b).error, 508) << "no slot";
  EXPECT_EQ(part(1).server().bandwidth_use().handed_out, 60u);
  EXPECT_TRUE(part(1).allocate(c).ok());
}

TEST_F(TwoServers, bandwidth_is_handed_out_once) {
  config.quotas.max_bps = 60;
  config.quotas.bps_capacity = 100;
  auto a = part(0).client(1), b = part(1).client(2), c = part(0).client(3);
  ASSERT_TRUE(part(0).allocate(a).ok());
  ASSERT_TRUE(part(1).allocate(b).ok());
  EXPECT_EQ(part(0).server().bandwidth_use().handed_out, 100u);
  EXPECT_EQ(part(0).allocate(c).error, 486);
  ASSERT_TRUE(part(0).refresh(a, 0).ok());
  EXPECT_EQ(part(1).server().bandwidth_use().handed_out, 40u);
  ASSERT_TRUE(part(1).refresh(b, 600).ok());
  EXPECT_EQ(part(0).server().bandwidth_use().handed_out, 60u) << "a refresh gets more when there is more";
}

TEST_F(TwoServers, C098_a_reserved_port_is_redeemed_at_the_other_and_comes_back) {
  config.min_port = 50000;
  config.max_port = 50003;
  auto a = part(0).client(1), b = part(1).client(2), c = part(1).client(3), d = part(0).client(4);
  const Reply first = part(0).allocate(a, add_pair);
  ASSERT_TRUE(first.token);
  const Reply second = part(1).allocate(b, with_token(*first.token));
  ASSERT_TRUE(second.ok()) << second.error;
  EXPECT_EQ(second.relayed.at(0).port, first.relayed.at(0).port + 1);
  EXPECT_EQ(part(1).allocate(c, with_token(*first.token)).error, 508) << "a token works once";
  ASSERT_TRUE(part(1).refresh(b, 0).ok());
  ASSERT_TRUE(part(0).refresh(a, 0).ok());
  EXPECT_EQ(part(0).allocate(d).error, 508) << "both ports rest";
  advance(config.port_rest);
  EXPECT_TRUE(part(0).allocate(d, add_pair).ok()) << "both are here again";
}

TEST_F(TwoServers, C098_a_port_that_nobody_came_for_returns_whoever_notices) {
  config.min_port = 50000;
  config.max_port = 50003;
  auto a = part(0).client(1), b = part(1).client(2), c = part(0).client(3);
  const Reply first = part(0).allocate(a, add_pair);
  ASSERT_TRUE(first.token);
  EXPECT_EQ(part(0).allocate(c).error, 508);
  advance(config.reservation_hold);
  ASSERT_TRUE(part(1).allocate(b).ok());
  const Reply reply = part(0).allocate(c);
  ASSERT_TRUE(reply.ok()) << reply.error;
  EXPECT_EQ(reply.relayed.at(0).port, first.relayed.at(0).port + 1);
}

}  // namespace
}  // namespace turnpike::turn
