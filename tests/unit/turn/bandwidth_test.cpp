// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth limits as the server hands them out: max-bps of one allocation, bps-capacity of all.
#include "common/turn/bandwidth.hpp"

#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnBandwidth : public TurnTest {
protected:
  TurnBandwidth() {
    config.max_allocations = 6;
    other = &users.add_realm(crypto, "other.net", "https://other.net:443", "carol", "pw");
    for (int i = 0; i < 6; ++i) clients.push_back(client("203.0.113.7:" + std::to_string(1000 + i)));
  }

  // The limit in the fact of a successful Allocate or Refresh.
  std::uint64_t limit_told() const {
    const auto facts = all<InstallAllocation>();
    EXPECT_EQ(facts.size(), 1u);
    return facts.empty() ? ~std::uint64_t{0} : facts[0].max_bps;
  }
  std::uint64_t allocate_limited(TurnClient& c, const TurnClient::Attributes& more = {}) {
    EXPECT_TRUE(allocate(c, more).ok());
    return limit_told();
  }
  std::uint64_t refresh_limited(TurnClient& c) {
    EXPECT_TRUE(refresh(c).ok());
    return limit_told();
  }
  TurnClient carol() {
    auto c = client("203.0.113.8:1", "carol", "pw");
    c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, [&](MessageWriter& writer) {
      add_udp_transport(writer);
      writer.add_text(Attribute::kOrigin, "https://other.net:443");
    })));
    return c;
  }
  std::uint64_t handed_out() { return server().bandwidth_use().handed_out; }
  void set(std::uint64_t max_bps, std::uint64_t bps_capacity) {
    Quotas quotas;
    quotas.max_bps = max_bps;
    quotas.bps_capacity = bps_capacity;
    server().set_quotas(quotas);
  }

  Realm* other;
  std::vector<TurnClient> clients;
};

TEST_F(TurnBandwidth, no_limit_unless_told) {
  EXPECT_EQ(allocate_limited(clients[0]), 0u);
  EXPECT_EQ(handed_out(), 0u);
}

TEST_F(TurnBandwidth, C222_every_allocation_gets_the_limit) {
  config.quotas.max_bps = 64'000;
  EXPECT_EQ(allocate_limited(clients[0]), 64'000u);
  EXPECT_EQ(allocate_limited(clients[1]), 64'000u);
  EXPECT_EQ(refresh_limited(clients[0]), 64'000u);
  EXPECT_EQ(handed_out(), 128'000u);
  server().for_each_session([](const SessionView& view) { EXPECT_EQ(view.max_bps, 64'000u); });
}

TEST_F(TurnBandwidth, clients_on_streams_too) {
  config.quotas.max_bps = 64'000;
  auto c = client("203.0.113.9:1", "alice", "secret", Transport::kTcp);
  EXPECT_EQ(allocate_limited(c), 64'000u);
}

TEST_F(TurnBandwidth, both_families_share_one_limit) {
  config.quotas.max_bps = 64'000;
  EXPECT_EQ(allocate_limited(clients[0],
                             [](MessageWriter& writer) {
                               writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
                             }),
            64'000u);
  EXPECT_EQ(handed_out(), 64'000u);
  EXPECT_TRUE(refresh(clients[0], 0, 2).ok());
  EXPECT_EQ(limit_told(), 64'000u);
  EXPECT_EQ(handed_out(), 64'000u);
}

TEST_F(TurnBandwidth, the_realms_own_limit_beats_the_options) {
  config.quotas.max_bps = 1000;
  for (const std::uint64_t own : {500u, 2000u}) {
    other->limits.max_bps = own;
    auto c = carol();
    EXPECT_EQ(allocate_limited(c), own);
    EXPECT_TRUE(refresh(c, 0).ok());
  }
  EXPECT_EQ(allocate_limited(clients[0]), 1000u) << "another realm";
  other->limits.max_bps = 0;
  auto c = carol();
  EXPECT_EQ(allocate_limited(c), 1000u) << "it has none of its own";
}

TEST_F(TurnBandwidth, a_limit_beyond_all_links_is_cut) {
  other->limits.max_bps = ~std::uint64_t{0};
  auto c = carol();
  EXPECT_EQ(allocate_limited(c), kLargestBps);
}

TEST_F(TurnBandwidth, without_authentication_too) {
  config.authenticate = false;
  config.quotas = {0, 0, 700, 1000};
  const auto plain = [&](TurnClient& c) {
    return talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport));
  };
  EXPECT_TRUE(plain(clients[0]).ok());
  EXPECT_EQ(limit_told(), 700u);
  EXPECT_TRUE(plain(clients[1]).ok());
  EXPECT_EQ(limit_told(), 300u);
  EXPECT_EQ(plain(clients[2]).error, 486);
}

TEST_F(TurnBandwidth, the_last_one_gets_what_is_left_then_486) {
  config.quotas = {0, 0, 400, 1000};
  EXPECT_EQ(allocate_limited(clients[0]), 400u);
  EXPECT_EQ(allocate_limited(clients[1]), 400u);
  EXPECT_EQ(allocate_limited(clients[2]), 200u);
  EXPECT_EQ(allocate(clients[3]).error, 486);
  EXPECT_TRUE(all<InstallAllocation>().empty());
  EXPECT_EQ(server().counters().full_bandwidth, 1u);
  EXPECT_EQ(handed_out(), 1000u);
  EXPECT_EQ(server().allocation_count(), 3u);
}

TEST_F(TurnBandwidth, the_capacity_is_exhausted_exactly) {
  config.quotas = {0, 0, 500, 1000};
  EXPECT_EQ(allocate_limited(clients[0]), 500u);
  EXPECT_EQ(allocate_limited(clients[1]), 500u);
  EXPECT_EQ(allocate(clients[2]).error, 486);
}

TEST_F(TurnBandwidth, a_capacity_smaller_than_one_limit) {
  config.quotas = {0, 0, 1000, 300};
  EXPECT_EQ(allocate_limited(clients[0]), 300u);
  EXPECT_EQ(allocate(clients[1]).error, 486);
}

TEST_F(TurnBandwidth, capacity_is_no_matter_of_who_has_no_limit) {
  config.quotas = {0, 0, 0, 10};
  for (TurnClient& c : clients) EXPECT_EQ(allocate_limited(c), 0u);
  EXPECT_EQ(handed_out(), 0u);
  EXPECT_EQ(server().counters().full_bandwidth, 0u);
}

TEST_F(TurnBandwidth, all_realms_draw_on_one_capacity) {
  config.quotas.bps_capacity = 1000;
  other->limits.max_bps = 1000;
  EXPECT_EQ(allocate_limited(clients[0]), 0u) << "no limit, no share";
  auto c = carol();
  EXPECT_EQ(allocate_limited(c), 1000u);
  set(1, 1000);
  EXPECT_EQ(allocate(clients[1]).error, 486);
}

TEST_F(TurnBandwidth, given_back_by_whoever_ends) {
  config.quotas = {0, 0, 1000, 1000};
  config.nonce_lifetime = seconds(3600);
  const auto is_free = [&] { return handed_out() == 0; };
  TurnClient& c = clients[0];
  EXPECT_EQ(allocate_limited(c), 1000u);
  EXPECT_TRUE(refresh(c, 0).ok());
  EXPECT_TRUE(is_free()) << "deleted";
  EXPECT_EQ(allocate_limited(c), 1000u);
  advance(seconds(601));
  EXPECT_TRUE(is_free()) << "expired";
  EXPECT_EQ(allocate_limited(c), 1000u);
  effects.clear();
  server().client_gone(c.tuple, now, effects);
  last_fact[0] = only<RemoveAllocation>()->seq;
  EXPECT_TRUE(is_free()) << "the connection is gone";
  EXPECT_EQ(allocate_limited(c), 1000u);
  const SlotId id = only<InstallAllocation>()->allocation;
  effects.clear();
  server().remove(id, effects);
  last_fact[0] = only<RemoveAllocation>()->seq;
  EXPECT_TRUE(is_free()) << "an operator's word";
  EXPECT_EQ(allocate_limited(clients[1]), 1000u);
}

TEST_F(TurnBandwidth, given_back_when_the_worker_refuses) {
  config.quotas = {0, 0, 1000, 1000};
  apply_at_once = false;
  EXPECT_EQ(allocate_limited(clients[0]), 1000u);
  const std::uint64_t seq = only<InstallAllocation>()->seq;
  effects.clear();
  server().on_refused(0, seq, now, effects);
  EXPECT_EQ(replies().at(0).error, 508);
  EXPECT_EQ(handed_out(), 0u);
}

TEST_F(TurnBandwidth, what_fails_takes_nothing) {
  config.quotas = {0, 0, 100, 10'000};
  config.min_port = 50000;
  config.max_port = 50001;
  EXPECT_EQ(allocate_limited(clients[0]), 100u);
  EXPECT_EQ(allocate_limited(clients[1]), 100u);
  EXPECT_EQ(allocate(clients[2]).error, 508) << "no port";
  EXPECT_EQ(handed_out(), 200u);
  EXPECT_EQ(allocate(clients[0]).error, 437);
  EXPECT_EQ(handed_out(), 200u);
}

TEST_F(TurnBandwidth, a_repeated_allocate_takes_nothing) {
  config.quotas = {0, 0, 100, 10'000};
  TurnClient& c = clients[0];
  ASSERT_TRUE(allocate(c).ok());
  ASSERT_TRUE(refresh(c, 0).ok());
  const auto request = c.request(Method::kAllocate, add_udp_transport);
  EXPECT_TRUE(talk(c, request).ok());
  EXPECT_TRUE(talk(c, request).ok());
  EXPECT_EQ(handed_out(), 100u);
}

TEST_F(TurnBandwidth, another_port_takes_nothing_twice) {
  config.quotas = {0, 0, 100, 100};
  apply_at_once = false;
  EXPECT_EQ(allocate_limited(clients[0]), 100u);
  const std::uint64_t seq = only<InstallAllocation>()->seq;
  effects.clear();
  server().on_refused(0, seq, now, effects, RefusalReason::kPortTaken);
  EXPECT_EQ(limit_told(), 100u);
  EXPECT_EQ(handed_out(), 100u);
}

TEST_F(TurnBandwidth, a_reload_reaches_new_ones_at_once_and_others_at_their_refresh) {
  config.quotas.max_bps = 1000;
  EXPECT_EQ(allocate_limited(clients[0]), 1000u);
  set(300, 0);
  EXPECT_EQ(allocate_limited(clients[1]), 300u);
  EXPECT_EQ(handed_out(), 1300u);
  EXPECT_EQ(refresh_limited(clients[0]), 300u);
  EXPECT_EQ(handed_out(), 600u);
  set(0, 0);
  EXPECT_EQ(refresh_limited(clients[0]), 0u);
  EXPECT_EQ(handed_out(), 300u);
  set(5000, 0);
  EXPECT_EQ(refresh_limited(clients[0]), 5000u);
  EXPECT_EQ(refresh_limited(clients[1]), 5000u);
  EXPECT_EQ(handed_out(), 10'000u);
}

TEST_F(TurnBandwidth, who_got_the_rest_gets_more_when_there_is_more) {
  config.quotas = {0, 0, 600, 1000};
  EXPECT_EQ(allocate_limited(clients[0]), 600u);
  EXPECT_EQ(allocate_limited(clients[1]), 400u);
  EXPECT_EQ(refresh_limited(clients[1]), 400u);
  EXPECT_TRUE(refresh(clients[0], 0).ok());
  EXPECT_EQ(refresh_limited(clients[1]), 600u);
  EXPECT_EQ(handed_out(), 600u);
}

TEST_F(TurnBandwidth, nobody_loses_his_share_to_a_smaller_capacity) {
  config.quotas = {0, 0, 500, 1000};
  EXPECT_EQ(allocate_limited(clients[0]), 500u);
  EXPECT_EQ(allocate_limited(clients[1]), 500u);
  set(500, 700);
  EXPECT_EQ(refresh_limited(clients[0]), 500u);
  EXPECT_EQ(allocate(clients[2]).error, 486);
  EXPECT_TRUE(refresh(clients[0], 0).ok());
  EXPECT_EQ(allocate_limited(clients[2]), 200u);
  set(300, 700);
  EXPECT_EQ(refresh_limited(clients[1]), 300u) << "max-bps itself is obeyed";
}

TEST_F(TurnBandwidth, a_limit_that_comes_later_overdraws_the_capacity) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(allocate_limited(clients[i]), 0u);
  set(400, 1000);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(refresh_limited(clients[i]), 400u) << i;
  EXPECT_EQ(handed_out(), 1200u);
  EXPECT_EQ(allocate(clients[3]).error, 486);
  EXPECT_TRUE(refresh(clients[0], 0).ok());
  EXPECT_EQ(allocate_limited(clients[3]), 200u);
}

TEST_F(TurnBandwidth, quotas_are_asked_first) {
  config.quotas = {1, 0, 100, 100};
  EXPECT_EQ(allocate_limited(clients[0]), 100u);
  EXPECT_EQ(allocate(clients[1]).error, 486);
  EXPECT_EQ(server().counters().full_bandwidth, 0u);
}

}  // namespace
}  // namespace turnpike::turn
