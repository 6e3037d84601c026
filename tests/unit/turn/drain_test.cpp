// SPDX-License-Identifier: BSD-3-Clause
// A draining server: who is sent away and where to, and who is served on (RFC 8489 section 10).
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnDrain : public TurnTest {
protected:
  TurnClient numbered(int i) { return client("203.0.113.5:" + std::to_string(10000 + i)); }

  static std::vector<std::string> alternates(const Reply& reply) {
    std::vector<std::string> list;
    const auto view = stun::MessageView::parse(Bytes(reply.bytes));
    view->for_each([&](std::uint16_t code, Bytes value) {
      if (code != static_cast<std::uint16_t>(Attribute::kAlternateServer)) return;
      list.push_back(wire::to_string(*stun::decode_address(value)));
    });
    return list;
  }
};

using Texts = std::vector<std::string>;

TEST_F(TurnDrain, C223_without_another_server_it_is_508) {
  auto old = client();
  ASSERT_TRUE(allocate(old).ok());
  server().set_draining(true);
  auto late = client("203.0.113.5:5001");
  const Reply reply = allocate(late);
  EXPECT_EQ(reply.error, 508);
  EXPECT_TRUE(alternates(reply).empty());
  EXPECT_EQ(server().counters().refused_draining, 1u);
  EXPECT_EQ(server().allocation_count(), 1u);
  server().set_draining(false);
  EXPECT_TRUE(allocate(late).ok());
}

TEST_F(TurnDrain, what_exists_lives_on) {
  auto old = client();
  const Reply first = allocate(old);
  server().set_draining(true);
  EXPECT_TRUE(permit(old, {"8.8.8.8:1"}).ok());
  EXPECT_TRUE(bind(old, 0x4000, "8.8.8.8:1").ok());
  EXPECT_TRUE(send_channel(old, 0x4000));
  EXPECT_TRUE(refresh(old).ok());
  EXPECT_TRUE(ask(old, Method::kBinding).ok());
  EXPECT_TRUE(refresh(old, 0).ok());
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnDrain, C220_redirect_300_names_the_clients_family_first_not_xored) {
  config.alternate_servers = {endpoint("192.0.2.1:3478"), endpoint("[2001:db8::1]:3479")};
  server().set_draining(true);
  auto c = client();
  const Reply v4 = allocate(c);
  EXPECT_EQ(v4.error, 300);
  EXPECT_NE(v4.integrity, stun::IntegrityKind::kNone);
  EXPECT_EQ(alternates(v4), (Texts{"192.0.2.1:3478", "[2001:db8::1]:3479"}));
  auto six = client("[2001:db8:9::7]:5000");
  const Reply v6 = allocate(six);
  EXPECT_EQ(v6.error, 300);
  EXPECT_EQ(alternates(v6), (Texts{"[2001:db8::1]:3479", "192.0.2.1:3478"}));
}

TEST_F(TurnDrain, C220_without_a_server_of_its_family_a_client_gets_508) {
  config.alternate_servers = {endpoint("[2001:db8::1]:3479")};
  server().set_draining(true);
  auto c = client();
  EXPECT_EQ(allocate(c).error, 508);
}

TEST_F(TurnDrain, servers_are_taken_in_turn_and_may_change) {
  config.alternate_servers = {endpoint("192.0.2.1:1"), endpoint("192.0.2.2:2")};
  server().set_draining(true);
  for (int i = 0; i < 4; ++i) {
    auto c = numbered(i);
    EXPECT_EQ(alternates(allocate(c)), Texts{i % 2 == 0 ? "192.0.2.1:1" : "192.0.2.2:2"});
  }
  server().set_alternate_servers({endpoint("192.0.2.3:3")});
  auto c = numbered(9);
  EXPECT_EQ(alternates(allocate(c)), Texts{"192.0.2.3:3"});
  server().set_alternate_servers({});
  EXPECT_EQ(allocate(c).error, 508);
}

TEST_F(TurnDrain, without_a_port_it_is_the_clients_own) {
  config.alternate_servers = {endpoint("192.0.2.1:0")};
  server().set_draining(true);
  auto c = client();
  EXPECT_EQ(alternates(allocate(c)), Texts{"192.0.2.1:3478"});
  c.tuple.server.port = 5349;
  c.nonce.clear();
  EXPECT_EQ(alternates(allocate(c)), Texts{"192.0.2.1:5349"});
}

// RFC 8489 section 14.8.
TEST_F(TurnDrain, C220_nobody_is_sent_elsewhere_unauthenticated) {
  config.authenticate = false;
  config.alternate_servers = {endpoint("192.0.2.1:3478")};
  server().set_draining(true);
  auto c = client();
  EXPECT_EQ(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)).error, 508);
}

TEST_F(TurnDrain, a_quota_does_not_keep_a_client_from_the_other_server) {
  config.quotas.user = 1;
  config.alternate_servers = {endpoint("192.0.2.1:3478")};
  auto first = numbered(1);
  auto second = numbered(2);
  ASSERT_TRUE(allocate(first).ok());
  server().set_draining(true);
  EXPECT_EQ(allocate(second).error, 300);
}

TEST_F(TurnDrain, a_reserved_port_is_given_out) {
  auto first = numbered(1);
  const Reply pair = allocate(first, [](MessageWriter& writer) { writer.add_even_port(true); });
  ASSERT_TRUE(pair.token);
  server().set_draining(true);
  auto second = numbered(2);
  const Reply reply =
      allocate(second, [&](MessageWriter& writer) { writer.add(Attribute::kReservationToken, *pair.token); });
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply.relayed.at(0).port, pair.relayed.at(0).port + 1);
}

TEST_F(TurnDrain, a_repeated_allocate_is_answered_as_the_first) {
  auto c = client();
  c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
  const auto request = c.request(Method::kAllocate, add_udp_transport);
  const Reply first = talk(c, request);
  ASSERT_TRUE(first.ok());
  server().set_draining(true);
  const Reply again = talk(c, request);
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(again.relayed, first.relayed);
}

}  // namespace
}  // namespace turnpike::turn
