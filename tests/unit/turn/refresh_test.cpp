// SPDX-License-Identifier: BSD-3-Clause
// Refresh (RFC 8656 section 8.2).
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnRefresh : public TurnTest {
protected:
  TurnClient dual(std::string_view from = "203.0.113.5:5000") {
    auto c = client(from);
    const Reply reply = allocate(c, [](MessageWriter& writer) {
      writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
    });
    EXPECT_EQ(reply.relayed.size(), 2u);
    v4 = reply.relayed.at(0);
    v6 = reply.relayed.at(1);
    EXPECT_TRUE(permit(c, {"8.8.8.8:1", "[2a00::1]:1"}).ok());
    EXPECT_TRUE(bind(c, 0x4000, "8.8.4.4:2").ok());
    EXPECT_TRUE(bind(c, 0x4001, "[2a00::2]:2").ok());
    return c;
  }
  Endpoint v4, v6;
};

TEST_F(TurnRefresh, C106_no_allocation_437) {
  auto c = client();
  for (const Method method : {Method::kRefresh, Method::kCreatePermission, Method::kChannelBind}) {
    const Reply reply = ask(c, method, [](MessageWriter& writer) {
      writer.add_channel_number(0x4000);
      writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.8.8:1"));
    });
    EXPECT_EQ(reply.error, 437);
    EXPECT_TRUE(c.trusts(reply));
  }
}

TEST_F(TurnRefresh, C107_refresh_zero_deletes) {
  auto c = client();
  const Reply allocated = allocate(c);
  bind(c, 0x4000, "8.8.8.8:1");
  const Reply reply = refresh(c, 0);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.lifetime, 0u);
  ASSERT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_EQ(reply.sent.last_fact, all<RemoveAllocation>()[0].seq);
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
  EXPECT_FALSE(send_channel(c, 0x4000));
  EXPECT_FALSE(receive(allocated.relayed.at(0), "8.8.8.8:1"));
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_EQ(server().counters().allocations_deleted, 1u);
}

TEST_F(TurnRefresh, C108_refresh_sets_lifetime) {
  auto c = client();
  allocate(c);
  for (const auto& [wish, granted] :
       std::vector<std::pair<std::optional<std::uint32_t>, std::uint32_t>>{{std::nullopt, 600},
                                                                           {1, 600},
                                                                           {600, 600},
                                                                           {1200, 1200},
                                                                           {3600, 3600},
                                                                           {4000, 3600},
                                                                           {0xFFFFFFFF, 3600},
                                                                           {std::nullopt, 600}}) {
    EXPECT_EQ(refresh(c, wish).lifetime, granted);
    ASSERT_EQ(all<InstallAllocation>().size(), 1u);  // the dataplane enforces the deadline itself
    EXPECT_EQ(all<InstallAllocation>()[0].deadline, now + seconds(granted));
  }
  advance(std::chrono::milliseconds(599'999));
  EXPECT_EQ(server().allocation_count(), 1u);
  c.nonce.clear();
  EXPECT_TRUE(refresh(c, 1200).ok());
  advance(seconds(1199));
  EXPECT_EQ(server().allocation_count(), 1u);
  advance(seconds(2));
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefresh, C108_malformed_400) {
  auto c = client();
  allocate(c);
  EXPECT_EQ(
      ask(c, Method::kRefresh, [](MessageWriter& writer) { writer.add_empty(Attribute::kLifetime); }).error,
      400);
  EXPECT_EQ(ask(c, Method::kRefresh,
                [](MessageWriter& writer) { writer.add_empty(Attribute::kRequestedAddressFamily); })
                .error,
            400);
}

TEST_F(TurnRefresh, C109_refresh_family_mismatch_443) {
  auto c = client();
  allocate(c);
  EXPECT_EQ(refresh(c, 600, 2).error, 443);
  EXPECT_EQ(refresh(c, 0, 2).error, 443);
  EXPECT_EQ(refresh(c, 600, 9).error, 443);
  EXPECT_TRUE(refresh(c, 600, 1).ok());
  auto d = dual("203.0.113.5:5001");
  EXPECT_TRUE(refresh(d, 0, 2).ok());
  EXPECT_EQ(refresh(d, 600, 2).error, 443);  // deleted
}

TEST_F(TurnRefresh, C110_refresh_family_zero_deletes_one) {
  auto c = dual();
  const Reply reply = refresh(c, 0, 1);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.lifetime, 0u);
  ASSERT_EQ(all<InstallAllocation>().size(), 1u);
  EXPECT_EQ(all<InstallAllocation>()[0].relay_v4.address.family, Family::kNone);
  EXPECT_EQ(all<InstallAllocation>()[0].relay_v6, RelayEndpoint(v6));
  EXPECT_EQ(all<RemovePermission>().size(), 2u);  // of CreatePermission and of ChannelBind
  EXPECT_EQ(all<RemoveChannel>().size(), 1u);

  EXPECT_FALSE(send(c, "8.8.8.8:1"));
  EXPECT_FALSE(send_channel(c, 0x4000));
  EXPECT_FALSE(receive(v4, "8.8.8.8:1"));
  EXPECT_TRUE(send(c, "[2a00::1]:1"));
  EXPECT_TRUE(send_channel(c, 0x4001));
  EXPECT_TRUE(receive(v6, "[2a00::1]:1"));
  EXPECT_EQ(permit(c, {"8.8.8.8:1"}).error, 443);
  EXPECT_TRUE(refresh(c, 0, 2).ok());  // the last family: all of it
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefresh, C110_families_have_their_own_time) {
  auto c = dual();
  ASSERT_TRUE(refresh(c, 1200, 2).ok());
  advance(seconds(601));
  EXPECT_EQ(server().allocation_count(), 1u);
  EXPECT_EQ(count_timed_out<InstallAllocation>(), 1u);  // without IPv4
  c.nonce.clear();
  EXPECT_EQ(refresh(c, 600, 1).error, 443);
  EXPECT_TRUE(permit(c, {"[2a00::1]:1"}).ok());
  EXPECT_FALSE(receive(v4, "8.8.8.8:1"));
  EXPECT_TRUE(receive(v6, "[2a00::1]:1"));
  advance(seconds(600));
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefresh, C111_refresh_no_family_affects_both) {
  auto c = dual();
  EXPECT_EQ(refresh(c, 1200).lifetime, 1200u);
  advance(seconds(590));
  EXPECT_EQ(count_timed_out<InstallAllocation>(), 0u);
  advance(seconds(600));
  EXPECT_EQ(server().allocation_count(), 1u);
  c.nonce.clear();
  EXPECT_TRUE(refresh(c, 0).ok());
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_FALSE(receive(v4, "8.8.8.8:1"));
  EXPECT_FALSE(receive(v6, "[2a00::1]:1"));
}

TEST_F(TurnRefresh, facts_and_answers_go_to_the_worker_that_owns_the_allocation) {
  config.workers = 2;
  auto c = client();
  allocate(c);
  const Reply reply = ask(c, Method::kRefresh, {}, 1);  // the other worker handed the request over
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.sent.worker, 0);
  EXPECT_EQ(only<InstallAllocation>()->allocation.worker, 0);
  EXPECT_EQ(reply.sent.last_fact, only<InstallAllocation>()->seq);
}

TEST_F(TurnRefresh, operator_removes_an_allocation) {
  auto c = client();
  allocate(c);
  const SlotId id = only<InstallAllocation>()->allocation;
  effects.clear();
  server().remove(id, effects);
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  effects.clear();
  server().remove(id, effects);
  server().remove({7, 1, 1}, effects);
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRefresh, slots_get_new_generations) {
  config.max_allocations = 1;
  auto c = client();
  allocate(c);
  const SlotId first = only<InstallAllocation>()->allocation;
  refresh(c, 0);
  allocate(c);
  const SlotId second = only<InstallAllocation>()->allocation;
  EXPECT_EQ(first.index, second.index);
  EXPECT_NE(first.generation, second.generation);
  EXPECT_NE(first.generation, 0u);
}

}  // namespace
}  // namespace turnpike::turn
