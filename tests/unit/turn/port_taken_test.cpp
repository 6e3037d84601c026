// SPDX-License-Identifier: BSD-3-Clause
// Another process holds the relay port, or the worker can open no socket: other ports, and when to give up.
#include <set>

#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnPortTaken : public TurnTest {
protected:
  TurnPortTaken() { apply_at_once = false; }

  // The worker refuses `seq`; what comes of it is in `effects`.
  void refuse(std::uint64_t seq, RefusalReason reason = RefusalReason::kPortTaken) {
    effects.clear();
    server().on_refused(0, seq, now, effects, reason);
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
    return list.empty() ? Reply{} : list[0];
  }
  // The port of the granted allocation is refused until the answer is an error or `times` is reached.
  Reply refuse_repeatedly(Reply granted, int times) {
    for (int i = 0; i < times && granted.ok(); ++i) {
      refuse(granted.sent.last_fact);
      granted = only_reply();
    }
    return granted;
  }
};

TEST_F(TurnPortTaken, the_same_request_gets_another_port) {
  auto c = client();
  c.fingerprint = true;
  const Reply first = allocate(c);
  const auto installed = *only<InstallAllocation>();
  refuse(first.sent.last_fact);
  const Reply second = only_reply();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.transaction, first.transaction);
  EXPECT_EQ(second.lifetime, first.lifetime);
  EXPECT_EQ(second.mapped, first.mapped);
  EXPECT_TRUE(second.fingerprint);
  EXPECT_TRUE(c.trusts(second));
  EXPECT_NE(second.relayed.at(0).port, first.relayed.at(0).port);
  const auto again = only<InstallAllocation>();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->allocation, installed.allocation);
  EXPECT_EQ(again->relay_v4, RelayEndpoint(second.relayed.at(0)));
  EXPECT_EQ(again->deadline, installed.deadline);
  EXPECT_EQ(second.sent.first_fact, again->seq);
  EXPECT_EQ(second.sent.last_fact, again->seq);
  EXPECT_EQ(server().counters().ports_taken, 1u);
  EXPECT_EQ(server().counters().facts_refused, 1u);
  EXPECT_EQ(server().counters().errors_508, 0u);
  EXPECT_EQ(server().counters().allocations_created, 1u);
  apply_all();
  ASSERT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
  EXPECT_TRUE(receive(second.relayed.at(0), "8.8.8.8:1"));
  EXPECT_FALSE(receive(first.relayed.at(0), "8.8.8.8:1"));
  EXPECT_EQ(server().counters().dropped_no_relay, 1u);
}

TEST_F(TurnPortTaken, eight_other_ports_and_then_508) {
  auto c = client();
  Reply reply = allocate(c);
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(reply.ok()) << i;
    ports.insert(reply.relayed.at(0).port);
    refuse(reply.sent.last_fact);
    reply = only_reply();
  }
  EXPECT_EQ(ports.size(), 9u);
  EXPECT_EQ(reply.error, 508);
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_EQ(server().counters().ports_taken, 9u);
  apply_all();
  EXPECT_TRUE(allocate(c).ok());  // the next request has its own eight
  EXPECT_TRUE(refuse_repeatedly(*replies().begin(), 8).ok());
}

TEST_F(TurnPortTaken, a_taken_port_rests) {
  config.min_port = 50000;
  config.max_port = 50001;
  auto c = client();
  const Reply first = allocate(c);
  const Reply second = refuse_repeatedly(first, 1);
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second.relayed, first.relayed);
  EXPECT_EQ(refuse_repeatedly(second, 1).error, 508);
  apply_all();
  EXPECT_EQ(allocate(c).error, 508);
  advance(seconds(9));
  apply_all();
  EXPECT_EQ(allocate(c).error, 508);
  advance(seconds(1));
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnPortTaken, an_even_port_stays_even) {
  auto c = client();
  Reply reply = allocate(c, [](MessageWriter& writer) { writer.add_even_port(false); });
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(reply.relayed.at(0).port % 2, 0);
    reply = refuse_repeatedly(reply, 1);
    ASSERT_TRUE(reply.ok());
  }
  EXPECT_EQ(reply.relayed.at(0).port % 2, 0);
}

TEST_F(TurnPortTaken, a_pair_gives_way_to_another_pair) {
  config.min_port = 50000;
  config.max_port = 50003;
  auto c = client("203.0.113.5:1");
  const Reply first = allocate(c, [](MessageWriter& writer) { writer.add_even_port(true); });
  const Reply second = refuse_repeatedly(first, 1);
  ASSERT_TRUE(second.ok() && second.token);
  EXPECT_EQ(second.relayed.at(0).port, first.relayed.at(0).port ^ 2);
  EXPECT_NE(second.token, first.token);
  apply_all();
  auto d = client("203.0.113.5:2");
  const auto with = [](const stun::ReservationToken& token) {
    return [token](MessageWriter& writer) { writer.add(Attribute::kReservationToken, token); };
  };
  EXPECT_EQ(allocate(d, with(*first.token)).error, 508);
  const Reply next = allocate(d, with(*second.token));
  EXPECT_EQ(next.relayed.at(0).port, second.relayed.at(0).port + 1);
  auto e = client("203.0.113.5:3");
  EXPECT_EQ(allocate(e).relayed.at(0).port, first.relayed.at(0).port + 1);  // free again at once
  EXPECT_EQ(allocate(e).error, 437);
}

TEST_F(TurnPortTaken, no_other_pair_is_508) {
  config.min_port = 50000;
  config.max_port = 50002;
  auto c = client();
  const Reply first = allocate(c, [](MessageWriter& writer) { writer.add_even_port(true); });
  EXPECT_EQ(refuse_repeatedly(first, 1).error, 508);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnPortTaken, a_reserved_port_has_no_substitute) {
  auto c = client("203.0.113.5:1");
  const Reply pair = allocate(c, [](MessageWriter& writer) { writer.add_even_port(true); });
  apply_all();
  auto d = client("203.0.113.5:2");
  const Reply reserved =
      allocate(d, [&](MessageWriter& writer) { writer.add(Attribute::kReservationToken, *pair.token); });
  EXPECT_EQ(refuse_repeatedly(reserved, 1).error, 508);
  EXPECT_TRUE(all<InstallAllocation>().empty());
  EXPECT_EQ(all<RemoveAllocation>().size(), 1u);
  EXPECT_EQ(server().allocation_count(), 1u);
}

TEST_F(TurnPortTaken, no_descriptor_is_508_at_once) {
  auto c = client();
  const Reply granted = allocate(c);
  refuse(granted.sent.last_fact, RefusalReason::kNoDescriptor);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_TRUE(all<InstallAllocation>().empty());
  EXPECT_EQ(server().counters().no_descriptor, 1u);
  EXPECT_EQ(server().counters().ports_taken, 0u);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnPortTaken, copies_of_the_request_wait_with_it) {
  auto c = client();
  c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, test::add_udp_transport)));
  const auto bytes = c.request(Method::kAllocate, test::add_udp_transport);
  const Reply first = talk(c, bytes);
  const Reply second = refuse_repeatedly(first, 1);
  server().on_applied(0, first.sent.last_fact, now);
  feed(c.tuple, bytes);
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(server().counters().duplicates_in_flight, 1u);
  apply_all();
  const Reply copy = talk(c, bytes);
  EXPECT_EQ(copy.bytes, second.bytes);
  EXPECT_EQ(copy.sent.first_fact, 0u);
  EXPECT_EQ(server().allocation_count(), 1u);
  EXPECT_EQ(server().counters().allocations_created, 1u);
}

TEST_F(TurnPortTaken, a_copy_after_the_error_starts_anew) {
  config.min_port = config.max_port = 50000;
  auto c = client();
  c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, test::add_udp_transport)));
  const auto bytes = c.request(Method::kAllocate, test::add_udp_transport);
  EXPECT_EQ(refuse_repeatedly(talk(c, bytes), 1).error, 508);
  EXPECT_EQ(talk(c, bytes).error, 508);
  apply_all();
  advance(seconds(10));
  EXPECT_TRUE(talk(c, bytes).ok());
  EXPECT_EQ(server().allocation_count(), 1u);
}

TEST_F(TurnPortTaken, both_ports_of_a_dual_allocation_change) {
  auto c = client();
  const auto dual = [](MessageWriter& writer) {
    writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
  };
  const Reply first = allocate(c, dual);
  const Reply second = refuse_repeatedly(first, 1);
  ASSERT_EQ(second.relayed.size(), 2u);
  for (int i = 0; i < 2; ++i) EXPECT_NE(second.relayed[i].port, first.relayed[i].port);
  EXPECT_EQ(only<InstallAllocation>()->relay_v6, RelayEndpoint(second.relayed[1]));
}

TEST_F(TurnPortTaken, a_family_without_another_port_is_told) {
  config.min_port = 50000;
  config.max_port = 50001;
  auto other = client("203.0.113.5:1");
  ASSERT_TRUE(allocate(other, [](MessageWriter& writer) {
                writer.add_address_family(Attribute::kRequestedAddressFamily, Family::kIpv6);
              }).ok());
  auto c = client("203.0.113.5:2");
  const Reply first = allocate(c, [](MessageWriter& writer) {
    writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
  });
  ASSERT_EQ(first.relayed.size(), 2u);
  const Reply second = refuse_repeatedly(first, 1);
  ASSERT_EQ(second.relayed.size(), 1u);
  EXPECT_NE(second.relayed[0].port, first.relayed[0].port);
  EXPECT_EQ(second.failed_family, 2);
  EXPECT_EQ(second.failed_code, 508);
  apply_all();
  EXPECT_EQ(permit(c, {"[2a00::1]:1"}).error, 443);
  EXPECT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
}

TEST_F(TurnPortTaken, who_does_not_wait_for_the_answer_gets_508) {
  auto c = client();
  const Reply granted = allocate(c);
  const Reply later = permit(c, {"8.8.8.8:1"});
  refuse(granted.sent.last_fact);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_EQ(server().allocation_count(), 0u);
  refuse(later.sent.last_fact, RefusalReason::kInvalid);
  EXPECT_EQ(only_reply().transaction, later.transaction);
}

TEST_F(TurnPortTaken, a_refresh_before_the_answer_is_refused_alone) {
  auto c = client();
  const Reply granted = allocate(c);
  const Reply refreshed = refresh(c, 1000);
  const Reply second = refuse_repeatedly(granted, 1);
  ASSERT_TRUE(second.ok());
  refuse(refreshed.sent.last_fact);
  EXPECT_EQ(only_reply().error, 508);
  EXPECT_EQ(only<InstallAllocation>()->relay_v4, RelayEndpoint(second.relayed.at(0)));
  EXPECT_EQ(server().allocation_count(), 1u);
}

TEST_F(TurnPortTaken, an_allocation_that_has_run_out_gets_no_other_port) {
  auto c = client();
  const Reply granted = allocate(c);
  now += seconds(600);
  EXPECT_EQ(refuse_repeatedly(granted, 1).error, 508);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnPortTaken, shared_ports_give_way_to_shared_ports) {
  config.multiplex_peer = true;
  config.multiplex_ports_per_worker = 2;
  auto c = client("203.0.113.5:1");
  const Reply first = allocate(c);
  EXPECT_EQ(first.relayed.at(0).port, 3480);
  const Reply second = refuse_repeatedly(first, 1);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.relayed.at(0).port, 3482);
  apply_all();
  auto d = client("203.0.113.5:2");
  const Reply other = allocate(d);
  EXPECT_EQ(other.relayed.at(0).port, 3482);  // the first one rests
  const Reply none = refuse_repeatedly(other, 1);
  EXPECT_EQ(none.relayed.at(0).port, 3482);  // c lives on it: what was refused was not the port
  EXPECT_EQ(refuse_repeatedly(none, 8).error, 508);
  advance(seconds(10));
  apply_all();
  EXPECT_EQ(allocate(d).relayed.at(0).port, 3480);
}

}  // namespace
}  // namespace turnpike::turn
