// SPDX-License-Identifier: BSD-3-Clause
// Allocate: what it refuses, what it grants, how it answers (RFC 8656 section 7.2).
#include "tests/unit/turn/allocate_fixture.hpp"

namespace turnpike::turn {
namespace {

TEST_F(TurnAllocate, C231_habit_libwebrtc_minimal_allocate) {
  auto c = client();
  const Reply reply = allocate(c);
  EXPECT_TRUE(reply.ok());
  EXPECT_TRUE(c.trusts(reply));
  const auto installed = only<InstallAllocation>();
  ASSERT_TRUE(installed);
  EXPECT_EQ(installed->five_tuple, c.tuple);
  EXPECT_EQ(installed->relay_v4, RelayEndpoint(reply.relayed.at(0)));
  EXPECT_EQ(installed->relay_v6.address.family, Family::kNone);
  EXPECT_EQ(installed->deadline, now + seconds(600));
}

TEST_F(TurnAllocate, C103_dataplane_ready_before_response) {
  auto c = client();
  const Reply reply = allocate(c);
  ASSERT_EQ(effects.list().size(), 2u);
  EXPECT_TRUE(std::holds_alternative<InstallAllocation>(effects.list()[0]));
  EXPECT_EQ(reply.sent.first_fact, 1u);
  EXPECT_EQ(reply.sent.last_fact, 1u);
}

TEST_F(TurnAllocate, C078_alloc_transport_missing_400) {
  auto c = client();
  EXPECT_EQ(ask_bare(c, {}).error, 400);
  EXPECT_EQ(ask_bare(c,
                     [](MessageWriter& writer) {
                       const std::uint8_t two[] = {17, 0};
                       writer.add(Attribute::kRequestedTransport, two);
                     })
                .error,
            400);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnAllocate, C079_alloc_transport_unsupported_442) {
  auto c = client();
  for (const int protocol : {0, 1, 6, 16, 18, 255}) {
    EXPECT_EQ(ask_bare(c,
                       [&](MessageWriter& writer) {
                         writer.add_requested_transport(static_cast<std::uint8_t>(protocol));
                       })
                  .error,
              442);
  }
}

TEST_F(TurnAllocate, C017_attr_first_occurrence_wins) {
  auto c = client();
  EXPECT_TRUE(allocate(c, [](MessageWriter& writer) { writer.add_requested_transport(6); }).ok());
}

TEST_F(TurnAllocate, C080_rffu_bits_ignored) {
  auto c = client();
  const Reply reply = ask_bare(c, [](MessageWriter& writer) {
    const std::uint8_t transport[] = {17, 0xFF, 0xFF, 0xFF};
    const std::uint8_t even[] = {0x7F};
    const std::uint8_t v6[] = {2, 0xFF, 0xFF, 0xFF};
    writer.add(Attribute::kRequestedTransport, transport);
    writer.add(Attribute::kEvenPort, even);
    writer.add(Attribute::kRequestedAddressFamily, v6);
  });
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.relayed.at(0).port % 2, 0);
  EXPECT_TRUE(reply.relayed.at(0).address.is_v6());
  EXPECT_FALSE(reply.token);  // R is the top bit only
}

TEST_F(TurnAllocate, C081_alloc_dont_fragment) {
  auto c = client();
  EXPECT_TRUE(allocate(c, [](MessageWriter& writer) { writer.add_empty(Attribute::kDontFragment); }).ok());
}

TEST_F(TurnAllocate, C082_alloc_token_conflicts_400) {
  auto first = client();
  const auto reserved = allocate(first, add_pair).token;
  ASSERT_TRUE(reserved);
  auto c = client("203.0.113.5:5001");
  for (const TurnClient::Attributes& more :
       {TurnClient::Attributes(add_even), TurnClient::Attributes(add_pair), family(1), family(2),
        TurnClient::Attributes(add_dual)}) {
    EXPECT_EQ(allocate(c,
                       [&](MessageWriter& writer) {
                         token (*reserved)(writer);
                         more(writer);
                       })
                  .error,
              400);
  }
  EXPECT_EQ(allocate(c, [](MessageWriter& writer) { writer.add_u32(Attribute::kReservationToken, 1); }).error,
            400);
  EXPECT_TRUE(allocate(c, token(*reserved)).ok());  // none of these used it up
}

TEST_F(TurnAllocate, C083_alloc_invalid_token_508) {
  auto first = client();
  auto second = client("203.0.113.5:5001");
  auto third = client("203.0.113.5:5002");
  EXPECT_EQ(allocate(second, token({1, 2, 3, 4, 5, 6, 7, 8})).error, 508);  // unknown
  const auto used = *allocate(first, add_pair).token;
  EXPECT_TRUE(allocate(second, token(used)).ok());
  EXPECT_EQ(allocate(third, token(used)).error, 508);  // used
  const auto expired = *allocate(third, add_pair).token;
  advance(seconds(30));
  auto fourth = client("203.0.113.5:5003");
  EXPECT_EQ(allocate(fourth, token(expired)).error, 508);
}

TEST_F(TurnAllocate, C084_alloc_both_family_attrs_400) {
  auto c = client();
  EXPECT_EQ(allocate(c,
                     [](MessageWriter& writer) {
                       family(1)(writer);
                       add_dual(writer);
                     })
                .error,
            400);
}

TEST_F(TurnAllocate, C085_alloc_family_unavailable_440) {
  config.relay_addresses.erase(config.relay_addresses.begin());  // IPv6 only
  auto c = client();
  EXPECT_EQ(allocate(c).error, 440);
  EXPECT_EQ(allocate(c, family(1)).error, 440);
  EXPECT_EQ(allocate(c, family(3)).error, 440);
  EXPECT_EQ(allocate(c, family(0)).error, 440);
  EXPECT_TRUE(allocate(c, family(2)).ok());
}

TEST_F(TurnAllocate, C085_malformed_family_400) {
  auto c = client();
  EXPECT_EQ(
      allocate(c, [](MessageWriter& writer) { writer.add_empty(Attribute::kRequestedAddressFamily); }).error,
      400);
  EXPECT_EQ(allocate(c, [](MessageWriter& writer) { writer.add_empty(Attribute::kEvenPort); }).error, 400);
  EXPECT_EQ(allocate(c, [](MessageWriter& writer) { writer.add_empty(Attribute::kLifetime); }).error, 400);
}

TEST_F(TurnAllocate, C086_alloc_default_family_ipv4) {
  auto c = client("[2001:db8:9::1]:5000");
  const Reply reply = allocate(c);
  ASSERT_EQ(reply.relayed.size(), 1u);
  EXPECT_TRUE(reply.relayed[0].address.is_v4());
}

TEST_F(TurnAllocate, C087_alloc_even_reserve_with_dual_400) {
  auto c = client();
  EXPECT_EQ(allocate(c,
                     [](MessageWriter& writer) {
                       add_pair(writer);
                       add_dual(writer);
                     })
                .error,
            400);
  const Reply reply = allocate(c, [](MessageWriter& writer) {
    add_even(writer);
    add_dual(writer);
  });
  ASSERT_EQ(reply.relayed.size(), 2u);  // R = 0 goes with it
  EXPECT_EQ(reply.relayed[0].port % 2, 0);
  EXPECT_EQ(reply.relayed[1].port % 2, 0);
}

TEST_F(TurnAllocate, C088_alloc_even_port_unavailable_508) {
  config.min_port = 50001;
  config.max_port = 50003;  // one even port, one pair
  auto a = numbered(1), b = numbered(2), c = numbered(3);
  EXPECT_EQ(allocate(a, add_even).relayed.at(0).port, 50002);
  EXPECT_EQ(allocate(b, add_even).error, 508);
  EXPECT_EQ(allocate(b, add_pair).error, 508);
  EXPECT_EQ(server().counters().full_ports, 2u);
  EXPECT_TRUE(allocate(b).ok());
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnAllocate, C089_alloc_additional_family_v4_400) {
  auto c = client();
  for (const int number : {0, 1, 3}) {
    EXPECT_EQ(allocate(c,
                       [&](MessageWriter& writer) {
                         writer.add_address_family(Attribute::kAdditionalAddressFamily,
                                                   static_cast<Family>(number));
                       })
                  .error,
              400);
  }
}

TEST_F(TurnAllocate, C090_alloc_dual_full) {
  auto c = client();
  const Reply reply = allocate(c, add_dual);
  ASSERT_EQ(reply.relayed.size(), 2u);
  EXPECT_TRUE(reply.relayed[0].address.is_v4());
  EXPECT_TRUE(reply.relayed[1].address.is_v6());
  EXPECT_FALSE(reply.failed_family);
  const auto installed = only<InstallAllocation>();
  EXPECT_EQ(installed->relay_v4, RelayEndpoint(reply.relayed[0]));
  EXPECT_EQ(installed->relay_v6, RelayEndpoint(reply.relayed[1]));
}

TEST_F(TurnAllocate, C091_alloc_dual_partial_unsupported) {
  config.relay_addresses.pop_back();
  auto c = client();
  const Reply reply = allocate(c, add_dual);
  ASSERT_EQ(reply.relayed.size(), 1u);
  EXPECT_TRUE(reply.relayed[0].address.is_v4());
  EXPECT_EQ(reply.failed_family, 2);
  EXPECT_EQ(reply.failed_code, 440);
}

TEST_F(TurnAllocate, C091_alloc_dual_partial_exhausted_and_none) {
  config.min_port = config.max_port = 50000;
  auto a = numbered(1), b = numbered(2), c = numbered(3);
  ASSERT_TRUE(allocate(a).ok());  // the only IPv4 port
  const Reply partial = allocate(b, add_dual);
  ASSERT_EQ(partial.relayed.size(), 1u);
  EXPECT_TRUE(partial.relayed[0].address.is_v6());
  EXPECT_EQ(partial.failed_family, 1);
  EXPECT_EQ(partial.failed_code, 508);
  EXPECT_EQ(allocate(c, add_dual).error, 508);
}

TEST_F(TurnAllocate, C092_alloc_quota_486) {
  config.quotas.user = 2;
  auto a = numbered(1), b = numbered(2), c = numbered(3);
  EXPECT_TRUE(allocate(a).ok());
  EXPECT_TRUE(allocate(b).ok());
  const Reply refused = allocate(c);
  EXPECT_EQ(refused.error, 486);
  EXPECT_TRUE(c.trusts(refused));
  auto bob = client("203.0.113.5:5009", "bob", "hunter2");  // the same address, another user
  EXPECT_TRUE(allocate(bob).ok());
  EXPECT_TRUE(refresh(a, 0).ok());
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnAllocate, C093_alloc_teredo_6to4_refused) {
  for (const char* from : {"[2001:0:1::1]:5000", "[2002:c000:204::1]:5000"}) {
    auto c = client(from);
    EXPECT_EQ(allocate(c, family(2)).error, 403);
  }
}

TEST_F(TurnAllocate, C094_slots_exhausted_508) {
  config.max_allocations = 2;
  auto a = numbered(1), b = numbered(2), c = numbered(3);
  ASSERT_TRUE(allocate(a).ok());
  ASSERT_TRUE(allocate(b).ok());
  EXPECT_EQ(allocate(c).error, 508);
  EXPECT_EQ(server().counters().full_allocations, 1u);
  apply_at_once = false;
  ASSERT_TRUE(refresh(a, 0).ok());
  EXPECT_EQ(allocate(c).error, 508);  // the worker still knows the slot
  apply_all();
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnAllocate, C099_alloc_lifetime_rules) {
  int i = 0;
  for (const auto& [wish, granted] :
       std::vector<std::pair<std::optional<std::uint32_t>, std::uint32_t>>{{std::nullopt, 600},
                                                                           {0, 600},
                                                                           {1, 600},
                                                                           {599, 600},
                                                                           {601, 601},
                                                                           {777, 777},
                                                                           {3600, 3600},
                                                                           {3601, 3600},
                                                                           {0xFFFFFFFF, 3600}}) {
    auto c = numbered(i++);
    EXPECT_EQ(allocate(c, wish ? lifetime(*wish) : TurnClient::Attributes{}).lifetime, granted);
    EXPECT_EQ(only<InstallAllocation>()->deadline, now + seconds(granted));
  }
}

TEST_F(TurnAllocate, C100_alloc_response_attrs) {
  auto c = client();
  const Reply reply = allocate(c);
  EXPECT_EQ(reply.relayed.size(), 1u);
  EXPECT_EQ(reply.lifetime, 600u);
  EXPECT_EQ(reply.mapped, endpoint("203.0.113.5:5000"));
}

TEST_F(TurnAllocate, C101_alloc_refresh_software) {
  auto c = client();
  EXPECT_EQ(ask_bare(c, {}).software, "turnpike");  // an error
  EXPECT_EQ(allocate(c).software, "turnpike");
  EXPECT_EQ(refresh(c).software, "turnpike");
}

TEST_F(TurnAllocate, C102_alloc_lookup_by_5tuple) {
  auto c = client();
  ASSERT_TRUE(allocate(c).ok());
  auto other_port = client("203.0.113.5:5001");
  auto other_transport = client("203.0.113.5:5000", "alice", "secret", Transport::kTcp);
  auto other_server = client();
  other_server.tuple.server = ServerEndpoint(endpoint("198.51.100.1:3479"));
  for (TurnClient* other : {&other_port, &other_transport, &other_server}) {
    EXPECT_EQ(refresh(*other).error, 437);
    EXPECT_TRUE(allocate(*other).ok());
  }
  EXPECT_EQ(server().allocation_count(), 4u);
}

TEST_F(TurnAllocate, C104_alloc_expiry_removes_all) {
  auto c = client();
  const Reply reply = allocate(c);
  ASSERT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
  advance(seconds(400));
  ASSERT_TRUE(bind(c, 0x4000, "8.8.4.4:9").ok());
  EXPECT_TRUE(send_channel(c, 0x4000));
  EXPECT_TRUE(receive(reply.relayed.at(0), "8.8.4.4:9"));
  now += seconds(200);  // at the deadline, before any timeout ran
  EXPECT_FALSE(send_channel(c, 0x4000));
  EXPECT_FALSE(receive(reply.relayed.at(0), "8.8.4.4:9"));
  advance(seconds(1));
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_EQ(server().counters().allocations_expired, 1u);
}

TEST_F(TurnAllocate, C104_expiry_is_told_to_the_dataplane) {
  auto c = client();
  allocate(c);
  bind(c, 0x4000, "8.8.4.4:9");
  advance(seconds(601));
  EXPECT_EQ(count_timed_out<RemoveAllocation>(), 1u);
  EXPECT_EQ(server().next_timeout(), kNever);
}

TEST_F(TurnAllocate, C104_expired_allocation_makes_room_for_a_new_one) {
  auto c = client();
  allocate(c);
  now += seconds(600);
  c.nonce.clear();
  const Reply reply = allocate(c);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_EQ(all<InstallAllocation>().size(), 1u);
}

TEST_F(TurnAllocate, C105_data_does_not_refresh_allocation) {
  auto c = client();
  const Reply reply = allocate(c);
  for (int i = 0; i < 59; ++i) {
    advance(seconds(10));
    if (i % 25 == 0) permit(c, {"8.8.8.8:1"});
    EXPECT_TRUE(send(c, "8.8.8.8:1"));
    EXPECT_TRUE(receive(reply.relayed.at(0), "8.8.8.8:1"));
  }
  advance(seconds(11));
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnAllocate, C237_habit_pion_attrs_after_mi) {
  auto c = client();
  c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
  auto bytes = c.request(Method::kAllocate, add_udp_transport);
  test::append_tlv(bytes, 0x0017, {2, 0, 0, 0});
  const Reply reply = talk(c, bytes);
  ASSERT_TRUE(reply.ok());
  EXPECT_TRUE(reply.relayed.at(0).address.is_v4());
  EXPECT_EQ(server().counters().attributes_after_integrity, 1u);
}

TEST_F(TurnAllocate, even_port_of_four_bytes_is_read_by_its_first) {
  auto c = client();
  const Reply reply =
      allocate(c, [](MessageWriter& writer) { writer.add_u32(Attribute::kEvenPort, 0x80000000); });
  EXPECT_TRUE(reply.token);
}

TEST_F(TurnAllocate, external_address_is_what_the_client_hears) {
  config.relay_addresses = {{address("10.0.0.7"), address("198.51.100.77")}};
  auto c = client();
  const Reply reply = allocate(c);
  EXPECT_EQ(reply.relayed.at(0).address, address("198.51.100.77"));
  EXPECT_EQ(only<InstallAllocation>()->relay_v4.address, address("10.0.0.7"));
  server().for_each_session([&](const SessionView& view) {
    EXPECT_EQ(view.relay_v4.address, address("198.51.100.77"));
    EXPECT_EQ(view.user, "alice");
  });
}

}  // namespace
}  // namespace turnpike::turn
