// SPDX-License-Identifier: BSD-3-Clause
// A worker refuses a fact: the request is undone and answered with 508.
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnRefusal : public TurnTest {
protected:
  TurnRefusal() { apply_at_once = false; }

  TurnClient ready() {
    auto c = client();
    relayed = allocate(c).relayed.at(0);
    apply_all();
    return c;
  }
  // The worker refuses `seq`; what comes of it is in `effects`.
  void refuse(std::uint64_t seq) {
    effects.clear();
    server().on_refused(0, seq, now, effects);
    for (const Effect& effect : effects.list()) {
      std::visit(
          [&](const auto& fact) {
            if constexpr (requires { fact.seq; }) last_fact[0] = fact.seq;
          },
          effect);
    }
  }
  Reply only_reply() {
    const auto list = replies();
    EXPECT_EQ(list.size(), 1u);
    return list.at(0);
  }
  Endpoint relayed;
};

TEST_F(TurnRefusal, refused_allocation_is_gone_and_its_client_hears_508) {
  config.max_allocations = 1;
  auto c = client();
  c.fingerprint = true;
  const Reply granted = allocate(c);
  ASSERT_TRUE(granted.ok());
  refuse(granted.sent.last_fact);
  const Reply reply = only_reply();
  EXPECT_EQ(reply.error, 508);
  EXPECT_EQ(reply.transaction, granted.transaction);
  EXPECT_EQ(reply.method, Method::kAllocate);
  EXPECT_EQ(reply.sent.to, c.tuple);
  EXPECT_EQ(reply.sent.first_fact, 0u);
  EXPECT_TRUE(reply.fingerprint);
  EXPECT_TRUE(c.trusts(reply));
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_EQ(server().counters().facts_refused, 1u);
  EXPECT_EQ(server().counters().errors_508, 1u);
  EXPECT_EQ(allocate(c).error, 508);  // the only slot waits for the worker
  apply_all();
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnRefusal, refused_sha256_request_is_answered_under_its_key) {
  auto c = client();
  c.use_algorithms = true;
  const Reply granted = allocate(c);
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().integrity, stun::IntegrityKind::kSha256);
  EXPECT_TRUE(c.trusts(only_reply()));
}

TEST_F(TurnRefusal, refused_permission_takes_the_request_back) {
  auto c = ready();
  const Reply granted = permit(c, {"8.8.8.8:1", "8.8.4.4:1", "1.1.1.1:1"});
  ASSERT_EQ(granted.sent.last_fact - granted.sent.first_fact, 2u);
  refuse(granted.sent.first_fact + 1);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_EQ(all<RemovePermission>().size(), 3u);
  for (const char* each : {"8.8.8.8:1", "8.8.4.4:1", "1.1.1.1:1"}) {
    EXPECT_FALSE(send(c, each));
    EXPECT_FALSE(receive(relayed, each));
  }
  refuse(granted.sent.last_fact);  // a second refusal of the same request
  EXPECT_TRUE(effects.list().empty());
}

TEST_F(TurnRefusal, refused_refresh_of_a_permission_restores_the_older_deadline) {
  auto c = ready();
  ASSERT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
  apply_all();
  const Time old_deadline = now + seconds(300);
  advance(seconds(100));
  const Reply granted = permit(c, {"8.8.8.8:1", "8.8.4.4:1"});
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().error, 508);
  ASSERT_EQ(all<InstallPermission>().size(), 1u);
  EXPECT_EQ(all<InstallPermission>()[0].deadline, old_deadline);
  EXPECT_EQ(all<InstallPermission>()[0].peer, address("8.8.8.8"));
  apply_all();
  advance(seconds(199));
  EXPECT_TRUE(send(c, "8.8.8.8:1"));
  advance(seconds(1));
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
}

TEST_F(TurnRefusal, refused_channel_goes_with_its_permission) {
  auto c = ready();
  const Reply granted = bind(c, 0x4000, "8.8.8.8:1");
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_EQ(all<RemoveChannel>().size(), 1u);
  EXPECT_EQ(all<RemovePermission>().size(), 1u);
  EXPECT_FALSE(send_channel(c, 0x4000));
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
  apply_all();
  EXPECT_TRUE(bind(c, 0x4000, "8.8.4.4:1").ok());
}

TEST_F(TurnRefusal, refused_rebind_restores_channel_and_permission) {
  auto c = ready();
  refresh(c, 3600);
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  apply_all();
  const Time bound_at = now;
  advance(seconds(100));
  const Reply granted = bind(c, 0x4000, "8.8.8.8:1");
  refuse(granted.sent.first_fact);
  EXPECT_EQ(only_reply().error, 508);
  const auto channels = all<InstallChannel>();
  ASSERT_FALSE(channels.empty());
  EXPECT_EQ(channels.back().deadline, bound_at + seconds(600));
  EXPECT_EQ(channels.back().permission_deadline, bound_at + seconds(300));
}

TEST_F(TurnRefusal, refused_new_permission_of_a_living_channel_leaves_the_channel) {
  auto c = ready();
  refresh(c, 3600);
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  apply_all();
  advance(seconds(400));  // the permission is over
  const Reply granted = permit(c, {"8.8.8.8:1"});
  refuse(granted.sent.first_fact);
  EXPECT_EQ(only_reply().error, 508);
  ASSERT_EQ(all<InstallChannel>().size(), 1u);
  EXPECT_LE(all<InstallChannel>()[0].permission_deadline, now);
  EXPECT_TRUE(send_channel(c, 0x4000));
  EXPECT_FALSE(receive(relayed, "8.8.8.8:1"));
}

TEST_F(TurnRefusal, refused_refresh_keeps_the_older_lifetime) {
  auto c = ready();
  const Time created = now;
  advance(seconds(100));
  const Reply granted = refresh(c, 3600);
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().error, 508);
  ASSERT_EQ(all<InstallAllocation>().size(), 1u);
  EXPECT_EQ(all<InstallAllocation>()[0].deadline, created + seconds(600));
  apply_all();
  advance(seconds(501));
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefusal, a_later_refresh_is_not_taken_back) {
  auto c = ready();
  const Reply first = permit(c, {"8.8.8.8:1"});
  now += seconds(5);
  const Reply second = permit(c, {"8.8.8.8:1"});
  refuse(first.sent.last_fact);
  EXPECT_EQ(only_reply().transaction, first.transaction);
  EXPECT_TRUE(all<RemovePermission>().empty());
  EXPECT_TRUE(send(c, "8.8.8.8:1"));
  EXPECT_TRUE(second.ok());
}

TEST_F(TurnRefusal, a_later_refresh_of_channel_or_allocation_is_not_taken_back) {
  auto c = ready();
  const Reply first_refresh = refresh(c, 1000);
  const Reply first_bind = bind(c, 0x4000, "8.8.8.8:1");
  now += seconds(5);
  refresh(c, 2000);
  bind(c, 0x4000, "8.8.8.8:1");
  const Time refreshed_at = now;
  refuse(first_refresh.sent.last_fact);
  EXPECT_EQ(all<InstallAllocation>().back().deadline, refreshed_at + seconds(2000));
  refuse(first_bind.sent.last_fact);
  EXPECT_TRUE(all<RemoveChannel>().empty());
  EXPECT_TRUE(send_channel(c, 0x4000));
}

TEST_F(TurnRefusal, refused_allocation_takes_later_requests_with_it) {
  auto c = client();
  const Reply granted = allocate(c);
  const Reply later = permit(c, {"8.8.8.8:1"});  // a client that does not wait
  ASSERT_TRUE(later.ok());
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().transaction, granted.transaction);
  refuse(later.sent.last_fact);  // the worker knows no such allocation
  EXPECT_EQ(only_reply().transaction, later.transaction);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefusal, refused_restatement_costs_the_object) {
  auto c = ready();
  ASSERT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
  apply_all();
  const Reply granted = permit(c, {"8.8.8.8:1", "8.8.4.4:1"});
  refuse(granted.sent.last_fact);
  ASSERT_EQ(all<InstallPermission>().size(), 1u);  // restated with the older deadline
  refuse(all<InstallPermission>()[0].seq);
  EXPECT_TRUE(replies().empty());
  EXPECT_EQ(all<RemovePermission>().size(), 1u);
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
}

TEST_F(TurnRefusal, refused_loss_of_a_family_costs_the_allocation) {
  auto c = client();
  ASSERT_TRUE(allocate(c, [](MessageWriter& writer) {
                writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
              }).ok());
  apply_all();
  const Reply granted = refresh(c, 0, 1);
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefusal, what_ran_out_meanwhile_goes_at_once) {
  auto c = ready();
  const Reply permitted = permit(c, {"8.8.8.8:1"});
  apply_all();
  advance(seconds(299));
  const Reply permitted_again = permit(c, {"8.8.8.8:1"});
  advance(seconds(2));
  refuse(permitted_again.sent.last_fact);
  EXPECT_EQ(all<RemovePermission>().size(), 1u);
  EXPECT_TRUE(all<InstallPermission>().empty());
  apply_all();
  advance(seconds(298));
  const Reply refreshed = refresh(c);
  advance(seconds(2));
  refuse(refreshed.sent.last_fact);
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_TRUE(all<InstallAllocation>().empty());
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefusal, facts_whose_answer_fitted_nowhere_are_undone_too) {
  config.software = std::string(600, 's');
  auto c = client();
  c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest)));
  feed(c.tuple, c.request(Method::kAllocate, add_udp_transport));
  EXPECT_TRUE(replies().empty());
  EXPECT_EQ(server().counters().responses_too_big, 1u);
  refuse(last_fact[0]);
  EXPECT_TRUE(replies().empty());
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
}

TEST_F(TurnRefusal, unknown_refusals_are_counted_only) {
  auto c = ready();
  refuse(1);     // applied long ago
  refuse(1000);  // never emitted
  effects.clear();
  server().on_refused(9, 1, now, effects);
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().facts_refused_unknown, 2u);
  EXPECT_TRUE(refresh(c).ok());
}

TEST_F(TurnRefusal, slots_wait_for_the_worker) {
  config.max_permissions = 1;
  auto c = ready();
  ASSERT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
  advance(seconds(301));
  EXPECT_EQ(permit(c, {"8.8.4.4:1"}).error, 508);
  apply_all();
  EXPECT_TRUE(permit(c, {"8.8.4.4:1"}).ok());
}

}  // namespace
}  // namespace turnpike::turn
