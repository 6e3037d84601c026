// SPDX-License-Identifier: BSD-3-Clause
// What the server makes of what it is told of users and realms: waiting, failing, several keys, several
// realms.
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

using Kind = UserAnswer::Kind;

class TurnUsers : public TurnTest {
protected:
  TurnUsers() {
    config.policy.allow(*AddressRange::parse("10.0.0.0/8"));
    other = &users.add_realm(crypto, "other.net", "https://other.net:443", "carol", "pw");
  }

  // A challenge for a client that comes from the web page `origin`.
  Reply challenge(TurnClient& c, const std::string& origin = {}) {
    return talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, [&](MessageWriter& writer) {
      add_udp_transport(writer);
      if (!origin.empty()) writer.add_text(Attribute::kOrigin, origin);
    }));
  }
  TurnClient carol(std::string_view from = "203.0.113.6:6000") {
    auto c = client(from, "carol", "pw");
    c.learn(challenge(c, "https://other.net:443"));
    return c;
  }
  LookupId hand(const TurnClient& c, const Datagram& bytes) {
    effects.clear();
    return server().handle_client(c.tuple, 0, bytes, now, effects);
  }
  std::map<std::string, std::uint64_t> counts() {
    std::map<std::string, std::uint64_t> list;
    server().counters().for_each([&](std::string_view name, std::string_view, std::uint64_t value) {
      list[std::string(name)] = value;
    });
    return list;
  }
  // A key that ends, as an ephemeral credential's does.
  UserKeys ending(const std::string& name, const std::string& account, Time until,
                  const std::string& password = "secret") {
    UserKeys keys = test::make_keys(crypto, name, "example.org", password);
    keys.account = account;
    keys.valid_until = until;
    return keys;
  }

  Realm* other;
};

TEST_F(TurnUsers, pending_user_has_no_effect_and_no_count) {
  auto c = client();
  c.learn(challenge(c));
  const auto request = c.request(Method::kAllocate, add_udp_transport);
  users.forced = UserAnswer{Kind::kPending, {}, 7};
  const auto before = counts();
  EXPECT_EQ(hand(c, request), 7u);
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(counts(), before);
  users.forced.reset();
  EXPECT_TRUE(talk(c, request).ok()) << "the same message again, once the answer is there";
  EXPECT_EQ(counts()["requests_allocate"], before.at("requests_allocate") + 1);
}

TEST_F(TurnUsers, pending_by_userhash_waits_too) {
  auto c = client();
  c.learn(challenge(c));
  c.use_userhash = true;
  users.forced = UserAnswer{Kind::kPending, {}, 9};
  EXPECT_EQ(hand(c, c.request(Method::kAllocate, add_udp_transport)), 9u);
}

TEST_F(TurnUsers, failed_lookup_is_500_without_challenge) {
  auto c = client();
  c.learn(challenge(c));
  users.forced = UserAnswer{Kind::kFailed, {}};
  const Reply reply = talk(c, c.request(Method::kAllocate, add_udp_transport));
  EXPECT_EQ(reply.error, 500);
  EXPECT_FALSE(reply.has(Attribute::kNonce));
  EXPECT_EQ(reply.integrity, stun::IntegrityKind::kNone);
  EXPECT_EQ(counts()["errors_500"], 1u);
  users.forced.reset();
  EXPECT_TRUE(allocate(c).ok()) << "with the same nonce";
}

TEST_F(TurnUsers, C227_every_key_of_a_name_is_tried) {
  users.candidates = {ending("1:dave", "dave", kNever, "old"), ending("1:dave", "dave", kNever, "new")};
  for (const char* password : {"old", "new"}) {
    auto c = client(password[0] == 'o' ? "203.0.113.7:1" : "203.0.113.7:2", "1:dave", password);
    const Reply reply = allocate(c);
    EXPECT_TRUE(reply.ok()) << password;
    EXPECT_TRUE(c.trusts(reply)) << password;
    c.use_algorithms = true;
    EXPECT_TRUE(c.trusts(refresh(c))) << password;
  }
  auto wrong = client("203.0.113.7:3", "1:dave", "older");
  EXPECT_EQ(allocate(wrong).error, 401);
}

TEST_F(TurnUsers, allocation_ends_with_its_credential) {
  users.candidates = {ending("9:dave", "dave", now + seconds(400))};
  auto c = client("203.0.113.7:1", "9:dave");
  EXPECT_EQ(allocate(c).lifetime, 400u);
  advance(seconds(100));
  EXPECT_EQ(refresh(c, 3600).lifetime, 300u);
  advance(seconds(299));
  EXPECT_EQ(server().allocation_count(), 1u);
  advance(seconds(2));
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnUsers, C229_quota_counts_the_account) {
  config.quotas.user = 2;
  auto a = client("203.0.113.7:1", "1:dave"), b = client("203.0.113.7:2", "2:dave"),
       c = client("203.0.113.7:3", "3:dave");
  users.candidates = {ending("1:dave", "dave", kNever)};
  EXPECT_TRUE(allocate(a).ok());
  users.candidates = {ending("2:dave", "dave", kNever)};
  EXPECT_TRUE(allocate(b).ok());
  users.candidates = {ending("3:dave", "dave", kNever)};
  EXPECT_EQ(allocate(c).error, 486);
  users.candidates = {ending("1:dave", "dave", kNever)};
  EXPECT_TRUE(refresh(a, 0).ok());
  users.candidates = {ending("3:dave", "dave", kNever)};
  EXPECT_TRUE(allocate(c).ok());
}

TEST_F(TurnUsers, realm_by_origin) {
  auto c = client();
  EXPECT_EQ(challenge(c).realm, "example.org");
  EXPECT_EQ(challenge(c, "https://unknown.example:443").realm, "example.org");
  EXPECT_EQ(challenge(c, "https://other.net:443").realm, "other.net");
  auto second = carol();
  EXPECT_EQ(second.realm, "other.net");
  EXPECT_TRUE(allocate(second).ok());
  server().for_each_session([](const SessionView& view) {
    EXPECT_EQ(view.realm, "other.net");
    EXPECT_EQ(view.user, "carol");
  });
}

TEST_F(TurnUsers, realm_of_the_message_wins_over_the_default) {
  auto c = carol();
  c.password = "wrong";
  const Reply reply = allocate(c);
  EXPECT_EQ(reply.error, 401);
  EXPECT_EQ(reply.realm, "other.net") << "or a client without ORIGIN could not try again";
}

TEST_F(TurnUsers, users_belong_to_their_realm) {
  auto c = client("203.0.113.8:1", "carol", "pw");
  EXPECT_EQ(allocate(c).error, 401) << "no such user in the default realm";
  c.realm = "nowhere.net";
  EXPECT_EQ(ask(c, Method::kAllocate, add_udp_transport).error, 401);
}

TEST_F(TurnUsers, C058_other_realms_credentials_441) {
  users.add_realm(crypto, "third.net", "https://third.net:443", "carol", "pw");
  auto c = carol();
  ASSERT_TRUE(allocate(c).ok());
  c.realm = "third.net";  // the same name, another realm: another user
  EXPECT_EQ(refresh(c).error, 441);
  c.realm = "other.net";
  EXPECT_TRUE(refresh(c).ok());
}

TEST_F(TurnUsers, user_quota_of_the_realm) {
  config.quotas.user = 1;
  other->limits.user_quota = 2;
  auto a = client("203.0.113.8:1"), b = client("203.0.113.8:2");
  EXPECT_TRUE(allocate(a).ok());
  EXPECT_EQ(allocate(b).error, 486);
  auto c = carol("203.0.113.8:3"), d = carol("203.0.113.8:4"), e = carol("203.0.113.8:5");
  EXPECT_TRUE(allocate(c).ok());
  EXPECT_TRUE(allocate(d).ok());
  EXPECT_EQ(allocate(e).error, 486);
}

TEST_F(TurnUsers, total_quota_of_the_realm) {
  config.quotas.total = 2;
  other->limits.total_quota = 1;
  auto a = client("203.0.113.8:1"), b = client("203.0.113.8:2"), c = client("203.0.113.8:3");
  EXPECT_TRUE(allocate(a).ok());
  EXPECT_TRUE(allocate(b).ok());
  EXPECT_EQ(allocate(c).error, 486);
  auto d = carol("203.0.113.8:4"), e = carol("203.0.113.8:5");
  EXPECT_TRUE(allocate(d).ok()) << "another realm";
  EXPECT_EQ(allocate(e).error, 486);
  EXPECT_TRUE(refresh(a, 0).ok());
  EXPECT_TRUE(allocate(c).ok());
  server().set_quotas({1, 0, 0, 0});
  EXPECT_EQ(allocate(a).error, 486) << "one of the user, who has two";
}

TEST_F(TurnUsers, features_of_the_realm) {
  auto c = client();
  EXPECT_TRUE(challenge(c).has(Attribute::kPasswordAlgorithms));
  other->offers_sha256 = false;
  other->finds_userhash = false;
  const Reply reply = challenge(c, "https://other.net:443");
  EXPECT_FALSE(reply.has(Attribute::kPasswordAlgorithms));
  EXPECT_EQ(reply.nonce.substr(9, 4), "AAAA");
}

TEST_F(TurnUsers, peers_by_realm) {
  PeerPolicies policies{config.policy, {}};
  AddressPolicy own = config.policy;
  own.deny(*AddressRange::parse("10.1.0.0/16"));
  own.allow(*AddressRange::parse("192.168.0.1"));
  policies.by_realm["other.net"] = own;
  auto a = client(), c = carol();
  ASSERT_TRUE(allocate(a).ok());
  ASSERT_TRUE(allocate(c).ok());
  EXPECT_TRUE(permit(c, {"10.1.0.1:1"}).ok()) << "before the lists came";
  server().set_peer_policy(policies);
  EXPECT_TRUE(permit(a, {"10.1.0.1:1"}).ok());
  EXPECT_EQ(permit(a, {"192.168.0.1:1"}).error, 403);
  EXPECT_EQ(permit(c, {"10.1.0.1:1"}).error, 403);
  EXPECT_EQ(bind(c, 0x4000, "10.1.0.1:9").error, 403);
  EXPECT_TRUE(permit(c, {"192.168.0.1:1"}).ok());
}

TEST_F(TurnUsers, secure_stun_wants_credentials_for_binding) {
  config.authenticate_binding = true;
  auto c = client();
  const Reply challenge = talk(c, c.plain(Method::kBinding, MessageClass::kRequest));
  EXPECT_EQ(challenge.error, 401);
  c.learn(challenge);
  const Reply reply = talk(c, c.request(Method::kBinding));
  EXPECT_TRUE(reply.ok());
  EXPECT_TRUE(c.trusts(reply));
  EXPECT_EQ(reply.mapped, endpoint("203.0.113.5:5000"));
  c.password = "wrong";
  EXPECT_EQ(talk(c, c.request(Method::kBinding)).error, 401);
}

TEST_F(TurnUsers, stun_only_drops_turn) {
  config.stun_only = true;
  auto c = client();
  EXPECT_TRUE(talk(c, c.plain(Method::kBinding, MessageClass::kRequest)).ok());
  feed(c.tuple, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport));
  EXPECT_TRUE(effects.list().empty());
  EXPECT_EQ(counts()["dropped_stun_only"], 1u);
}

}  // namespace
}  // namespace turnpike::turn
