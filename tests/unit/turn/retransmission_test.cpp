// SPDX-License-Identifier: BSD-3-Clause
// The same request again: the state is as if one copy had arrived, and the answer is the same (RFC 8489
// section 6.3.1).
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnRetransmission : public TurnTest {
protected:
  TurnClient ready() {
    auto c = client();
    c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
    return c;
  }
  static Datagram refresh_zero(TurnClient& c) {
    return c.request(Method::kRefresh,
                     [](MessageWriter& writer) { writer.add_u32(Attribute::kLifetime, 0); });
  }
};

TEST_F(TurnRetransmission, C061_allocate_retransmit_same_relay) {
  auto c = ready();
  const auto bytes = c.request(Method::kAllocate, [](MessageWriter& writer) {
    add_udp_transport(writer);
    writer.add_even_port(true);
  });
  const Reply first = talk(c, bytes);
  ASSERT_TRUE(first.token);
  const Reply second = talk(c, bytes);
  EXPECT_EQ(second.bytes, first.bytes);
  EXPECT_TRUE(all<InstallAllocation>().empty());
  EXPECT_EQ(second.sent.first_fact, 0u);
  advance(seconds(20));
  const Reply third = talk(c, bytes);
  EXPECT_EQ(third.relayed, first.relayed);
  EXPECT_EQ(third.token, first.token);
  EXPECT_EQ(third.lifetime, 580u);
  EXPECT_EQ(server().allocation_count(), 1u);
  EXPECT_EQ(server().counters().retransmitted_allocates, 2u);
}

TEST_F(TurnRetransmission, C061_partial_dual_repeats_its_address_error) {
  config.relay_addresses.pop_back();
  auto c = ready();
  const auto bytes = c.request(Method::kAllocate, [](MessageWriter& writer) {
    add_udp_transport(writer);
    writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
  });
  EXPECT_EQ(talk(c, bytes).bytes, talk(c, bytes).bytes);
  EXPECT_EQ(talk(c, bytes).failed_code, 440);
}

TEST_F(TurnRetransmission, C062_allocate_new_txid_437) {
  auto c = ready();
  ASSERT_TRUE(allocate(c).ok());
  const Reply reply = allocate(c);
  EXPECT_EQ(reply.error, 437);
  EXPECT_TRUE(c.trusts(reply));
}

TEST_F(TurnRetransmission, C063_refresh0_retransmit) {
  auto c = ready();
  ASSERT_TRUE(allocate(c).ok());
  const auto bytes = refresh_zero(c);
  const Reply first = talk(c, bytes);
  EXPECT_EQ(first.lifetime, 0u);
  EXPECT_EQ(talk(c, bytes).bytes, first.bytes);
  EXPECT_TRUE(all<RemoveAllocation>().empty());
  advance(seconds(39));
  EXPECT_EQ(talk(c, bytes).bytes, first.bytes);
  advance(seconds(1));
  EXPECT_EQ(talk(c, bytes).error, 437);
  EXPECT_EQ(talk(c, refresh_zero(c)).error, 437);  // another transaction never was a success
}

TEST_F(TurnRetransmission, C063_late_copy_spares_the_next_allocation) {
  auto c = ready();
  ASSERT_TRUE(allocate(c).ok());
  const auto bytes = refresh_zero(c);
  ASSERT_TRUE(talk(c, bytes).ok());
  ASSERT_TRUE(allocate(c).ok());
  EXPECT_TRUE(talk(c, bytes).ok());
  EXPECT_EQ(server().allocation_count(), 1u);
}

TEST_F(TurnRetransmission, C063_deletion_of_one_family_repeats) {
  auto c = ready();
  ASSERT_TRUE(allocate(c, [](MessageWriter& writer) {
                writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
              }).ok());
  const auto bytes = c.request(Method::kRefresh, [](MessageWriter& writer) {
    writer.add_u32(Attribute::kLifetime, 0);
    writer.add_address_family(Attribute::kRequestedAddressFamily, Family::kIpv4);
  });
  EXPECT_TRUE(talk(c, bytes).ok());
  EXPECT_TRUE(talk(c, bytes).ok());
  EXPECT_EQ(server().allocation_count(), 1u);
}

TEST_F(TurnRetransmission, C063_memory_is_bounded) {
  config.max_remembered_deletions = 2;
  std::vector<std::pair<TurnClient, Datagram>> deleted;
  for (int i = 0; i < 3; ++i) {
    auto c = client("203.0.113.5:" + std::to_string(6000 + i));
    ASSERT_TRUE(allocate(c).ok());
    deleted.emplace_back(c, refresh_zero(c));
    ASSERT_TRUE(talk(c, deleted.back().second).ok());
  }
  EXPECT_EQ(talk(deleted[0].first, deleted[0].second).error, 437);
  EXPECT_TRUE(talk(deleted[1].first, deleted[1].second).ok());
  EXPECT_TRUE(talk(deleted[2].first, deleted[2].second).ok());
}

TEST_F(TurnRetransmission, C064_createperm_channelbind_retransmit) {
  auto c = ready();
  ASSERT_TRUE(allocate(c).ok());
  const auto permission = c.request(Method::kCreatePermission, [](MessageWriter& writer) {
    writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.8.8:1"));
  });
  const auto channel = c.request(Method::kChannelBind, [](MessageWriter& writer) {
    writer.add_channel_number(0x4001);
    writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.4.4:2"));
  });
  for (const auto* bytes : {&permission, &channel}) {
    const Reply first = talk(c, *bytes);
    EXPECT_TRUE(first.ok());
    EXPECT_EQ(talk(c, *bytes).bytes, first.bytes);
  }
  const auto refresh_bytes = c.request(Method::kRefresh);
  EXPECT_EQ(talk(c, refresh_bytes).bytes, talk(c, refresh_bytes).bytes);
}

TEST_F(TurnRetransmission, C065_duplicate_inflight_coalesced) {
  apply_at_once = false;
  auto c = ready();
  const auto bytes = c.request(Method::kAllocate, add_udp_transport);
  EXPECT_TRUE(talk(c, bytes).ok());
  feed(c.tuple, bytes);
  EXPECT_TRUE(effects.list().empty());  // the first answer is about to leave
  const auto channel = c.request(Method::kChannelBind, [](MessageWriter& writer) {
    writer.add_channel_number(0x4001);
    writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.4.4:2"));
  });
  EXPECT_TRUE(talk(c, channel).ok());
  feed(c.tuple, channel);
  EXPECT_TRUE(effects.list().empty());
  const auto zero = refresh_zero(c);
  EXPECT_TRUE(talk(c, zero).ok());
  feed(c.tuple, zero);
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().duplicates_in_flight, 3u);
  apply_all();
  EXPECT_TRUE(talk(c, zero).ok());
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnRetransmission, C065_flood_of_copies_makes_one_allocation) {
  auto c = ready();
  const auto bytes = c.request(Method::kAllocate, add_udp_transport);
  for (int i = 0; i < 20; ++i) feed(c.tuple, bytes);
  EXPECT_EQ(server().allocation_count(), 1u);
  EXPECT_EQ(server().counters().allocations_created, 1u);
}

TEST_F(TurnRetransmission, copy_of_another_client_gets_nothing) {
  auto c = ready();
  const auto bytes = c.request(Method::kAllocate, add_udp_transport);
  ASSERT_TRUE(talk(c, bytes).ok());
  auto thief = client("203.0.113.6:5000");
  EXPECT_EQ(talk(thief, bytes).error, 438);  // the nonce is bound to the address
  EXPECT_EQ(server().allocation_count(), 1u);
}

TEST_F(TurnRetransmission, worker_far_behind_costs_requests_not_memory) {
  config.max_pending_facts = 3;
  apply_at_once = false;
  auto c = ready();
  ASSERT_TRUE(allocate(c).ok());
  ASSERT_TRUE(refresh(c).ok());
  ASSERT_TRUE(refresh(c).ok());
  feed(c.tuple, c.request(Method::kRefresh));
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().dropped_worker_behind, 1u);
  apply_all();
  EXPECT_TRUE(refresh(c).ok());
}

}  // namespace
}  // namespace turnpike::turn
