// SPDX-License-Identifier: BSD-3-Clause
// The credential ladder, rung by rung (RFC 8489 section 9.2.4).
#include <set>

#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

constexpr std::uint8_t kBothAlgorithms[] = {0, 2, 0, 0, 0, 1, 0, 0};

class TurnCredentials : public TurnTest {
protected:
  Reply challenge(TurnClient& c) {
    return talk(c, c.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport));
  }
  // A client that has its nonce.
  TurnClient ready(std::string_view from = "203.0.113.5:5000", std::string_view name = "alice",
                   std::string_view password = "secret") {
    auto c = client(from, name, password);
    c.learn(challenge(c));
    return c;
  }
  Reply ask_allocate(TurnClient& c) { return talk(c, c.request(Method::kAllocate, add_udp_transport)); }

  static void expect_challenge(const Reply& reply, int code) {
    EXPECT_EQ(reply.error, code);
    EXPECT_EQ(reply.realm, "example.org");
    EXPECT_FALSE(reply.nonce.empty());
    EXPECT_EQ(reply.algorithms, Datagram(std::begin(kBothAlgorithms), std::end(kBothAlgorithms)));
    EXPECT_EQ(reply.integrity, stun::IntegrityKind::kNone);
    EXPECT_FALSE(reply.has(Attribute::kUsername));
    EXPECT_FALSE(reply.has(Attribute::kUserhash));
    EXPECT_FALSE(reply.has(Attribute::kSoftware));  // amplification
  }
  static void expect_plain_400(const Reply& reply) {
    EXPECT_EQ(reply.error, 400);
    EXPECT_FALSE(reply.has(Attribute::kRealm));
    EXPECT_FALSE(reply.has(Attribute::kNonce));
    EXPECT_EQ(reply.integrity, stun::IntegrityKind::kNone);
  }
  // A request by hand, with integrity over what `attributes` wrote.
  Datagram signed_request(TurnClient& c, const TurnClient::Attributes& attributes,
                          stun::IntegrityKind kind = stun::IntegrityKind::kSha1) {
    return c.plain(Method::kAllocate, MessageClass::kRequest, [&](MessageWriter& writer) {
      add_udp_transport(writer);
      attributes(writer);
      stun::add_integrity(writer, kind, crypto, c.key());
    });
  }
};

TEST_F(TurnCredentials, C043_no_integrity_401) {
  auto c = client();
  const Reply reply = challenge(c);
  expect_challenge(reply, 401);
  EXPECT_EQ(reply.transaction, test::read_reply(reply.bytes).transaction);
}

TEST_F(TurnCredentials, C043_no_integrity_401_for_every_method) {
  for (const Method method :
       {Method::kAllocate, Method::kRefresh, Method::kCreatePermission, Method::kChannelBind}) {
    auto c = client();
    const Reply reply = talk(c, c.plain(method, MessageClass::kRequest));
    expect_challenge(reply, 401);
    EXPECT_EQ(reply.method, method);
  }
}

TEST_F(TurnCredentials, C044_incomplete_credentials_400) {
  auto c = ready();
  enum { kNoName, kNoRealm, kNoNonce };
  for (const int missing : {kNoName, kNoRealm, kNoNonce}) {
    expect_plain_400(talk(c, signed_request(c, [&](MessageWriter& writer) {
                            if (missing != kNoName) writer.add_text(Attribute::kUsername, c.user);
                            if (missing != kNoRealm) writer.add_text(Attribute::kRealm, c.realm);
                            if (missing != kNoNonce) writer.add_text(Attribute::kNonce, c.nonce);
                          })));
  }
  EXPECT_EQ(users.lookups, 0);
}

TEST_F(TurnCredentials, C045_unknown_user_401) {
  auto c = ready("203.0.113.5:5000", "mallory");
  expect_challenge(ask_allocate(c), 401);
  c.use_userhash = true;
  expect_challenge(ask_allocate(c), 401);
}

TEST_F(TurnCredentials, C045_foreign_realm_401) {
  auto c = ready();
  c.realm = "example.net";
  expect_challenge(ask_allocate(c), 401);
  c.realm = "example.org";
  expect_challenge(talk(c, signed_request(c,
                                          [&](MessageWriter& writer) {  // under the key of the right realm
                                            writer.add_text(Attribute::kUsername, c.user);
                                            writer.add_text(Attribute::kRealm, "example.net");
                                            writer.add_text(Attribute::kNonce, c.nonce);
                                          })),
                   401);
}

TEST_F(TurnCredentials, C046_wrong_password_401) {
  auto c = ready("203.0.113.5:5000", "alice", "Secret");
  expect_challenge(ask_allocate(c), 401);
  c.use_algorithms = true;
  expect_challenge(ask_allocate(c), 401);
  EXPECT_EQ(server().allocation_count(), 0u);
}

TEST_F(TurnCredentials, C047_stale_nonce_438) {
  auto c = ready();
  ASSERT_TRUE(ask_allocate(c).ok());
  advance(seconds(300));
  ASSERT_TRUE(refresh(c).ok());
  advance(seconds(301));  // 601 s after the nonce was issued
  const Reply reply = refresh(c);
  expect_challenge(reply, 438);
  c.learn(reply);
  EXPECT_TRUE(refresh(c).ok());
}

TEST_F(TurnCredentials, C047_other_requests_on_the_way_pass_after_the_new_nonce_was_told) {
  auto c = ready();
  ASSERT_TRUE(ask_allocate(c).ok());
  advance(seconds(599));
  ASSERT_TRUE(refresh(c).ok());
  advance(seconds(2));
  EXPECT_EQ(refresh(c).error, 438);
  EXPECT_TRUE(permit(c, {"8.8.8.8:1"}).ok());
  advance(seconds(61));
  EXPECT_EQ(refresh(c).error, 438);
}

TEST_F(TurnCredentials, C047_wrong_password_comes_before_a_stale_nonce) {
  auto c = ready();
  now += seconds(3000);
  c.password = "wrong";
  expect_challenge(ask_allocate(c), 401);
  c.password = "secret";
  expect_challenge(ask_allocate(c), 438);
}

TEST_F(TurnCredentials, C048_foreign_nonce_438) {
  auto c = ready();
  auto other = ready("203.0.113.6:5000");
  const std::string own = c.nonce;
  auto forged = own;
  forged.back() = forged.back() == 'A' ? 'B' : 'A';
  auto altered_bits = own;
  altered_bits[9] = altered_bits[9] == 'w' ? 'Q' : 'w';
  for (const std::string& nonce : {other.nonce, forged, altered_bits, own.substr(1), own + "A",
                                   std::string("x"), std::string(763, 'n')}) {
    c.nonce = nonce;
    expect_challenge(ask_allocate(c), 438);
  }
  EXPECT_EQ(users.lookups, 0);  // refused before any look-up
  c.nonce = own;
  EXPECT_TRUE(ask_allocate(c).ok());
}

TEST_F(TurnCredentials, C048_nonce_is_bound_to_address_port_and_transport) {
  const std::string nonce = ready().nonce;
  auto port = ready("203.0.113.5:5001");
  port.nonce = nonce;
  EXPECT_EQ(ask_allocate(port).error, 438);
  auto tcp = client("203.0.113.5:5000", "alice", "secret", Transport::kTcp);
  tcp.learn(challenge(tcp));
  EXPECT_NE(tcp.nonce, nonce);
  tcp.nonce = nonce;
  EXPECT_EQ(ask_allocate(tcp).error, 438);
}

TEST_F(TurnCredentials, C049_nonce_format) {
  const std::string nonce = ready().nonce;
  EXPECT_EQ(nonce.substr(0, 9), "obMatJos2");
  EXPECT_LT(nonce.size(), 128u);
  EXPECT_EQ(nonce.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            nonce.npos);
}

TEST_F(TurnCredentials, C050_nonce_bits_match_features) {
  auto c = client();
  EXPECT_EQ(challenge(c).nonce.substr(9, 4), "wAAA");
  users.add_md5_only(crypto, "old", "password");
  const Reply reply = challenge(c);
  EXPECT_EQ(reply.nonce.substr(9, 4), "QAAA");
  EXPECT_FALSE(reply.has(Attribute::kPasswordAlgorithms));
}

TEST_F(TurnCredentials, C051_pwalg_absent_means_md5) {
  auto c = ready();
  const Reply reply = ask_allocate(c);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.integrity, stun::IntegrityKind::kSha1);
  EXPECT_TRUE(c.trusts(reply));
}

TEST_F(TurnCredentials, C037_C040_long_term_keys_and_response_integrity_algorithm) {
  for (const auto algorithm : {stun::PasswordAlgorithm::kSha256, stun::PasswordAlgorithm::kMd5}) {
    auto c = ready(algorithm == stun::PasswordAlgorithm::kSha256 ? "203.0.113.5:5000" : "203.0.113.5:5001");
    c.use_algorithms = true;
    c.algorithm = algorithm;
    const Reply reply = ask_allocate(c);
    EXPECT_TRUE(reply.ok());
    EXPECT_EQ(reply.integrity, stun::IntegrityKind::kSha256);
    EXPECT_TRUE(c.trusts(reply));
    EXPECT_FALSE(reply.has(Attribute::kMessageIntegrity));
  }
}

TEST_F(TurnCredentials, C037_sha256_without_its_key_401) {
  users.add_md5_only(crypto, "old", "password");
  auto c = ready("203.0.113.5:5000", "old", "password");
  EXPECT_TRUE(ask_allocate(c).ok());
  c.algorithms = Datagram(std::begin(kBothAlgorithms), std::end(kBothAlgorithms));
  c.use_algorithms = true;
  EXPECT_EQ(refresh(c).error, 401);
}

TEST_F(TurnCredentials, C038_userhash_lookup) {
  auto c = ready();
  c.use_userhash = true;
  EXPECT_TRUE(ask_allocate(c).ok());
  c.use_userhash = false;
  EXPECT_TRUE(refresh(c).ok());  // the same user
}

TEST_F(TurnCredentials, C038_username_and_userhash_must_agree) {
  auto c = ready();
  const auto with_hash_of = [&](const std::string& name) {
    return talk(c, signed_request(c, [&](MessageWriter& writer) {
                  writer.add_text(Attribute::kUsername, c.user);
                  writer.add(Attribute::kUserhash, crypto.sha256(as_bytes(name + ":" + c.realm)));
                  writer.add_text(Attribute::kRealm, c.realm);
                  writer.add_text(Attribute::kNonce, c.nonce);
                }));
  };
  expect_plain_400(with_hash_of("bob"));
  expect_plain_400(with_hash_of("nobody"));
  EXPECT_TRUE(with_hash_of("alice").ok());
}

TEST_F(TurnCredentials, C052_pwalg_inconsistent_400) {
  auto c = ready();
  const auto with = [&](const std::optional<Datagram>& list, const std::optional<Datagram>& choice) {
    return talk(c, signed_request(c, [&](MessageWriter& writer) {
                  writer.add_text(Attribute::kUsername, c.user);
                  writer.add_text(Attribute::kRealm, c.realm);
                  writer.add_text(Attribute::kNonce, c.nonce);
                  if (list) writer.add(Attribute::kPasswordAlgorithms, *list);
                  if (choice) writer.add(Attribute::kPasswordAlgorithm, *choice);
                }));
  };
  const Datagram both(std::begin(kBothAlgorithms), std::end(kBothAlgorithms));
  const Datagram md5{0, 1, 0, 0};
  const Datagram turned{0, 1, 0, 0, 0, 2, 0, 0};
  expect_plain_400(with(both, std::nullopt));
  expect_plain_400(with(std::nullopt, md5));
  expect_plain_400(with(md5, md5));     // the bid-down: SHA-256 taken out of the list
  expect_plain_400(with(turned, md5));  // byte for byte
  expect_plain_400(with(Datagram{}, md5));
  expect_plain_400(with(both, Datagram{0, 3, 0, 0}));
  expect_plain_400(with(both, Datagram{0, 1}));
  EXPECT_TRUE(with(both, md5).ok());
}

TEST_F(TurnCredentials, C053_nonce_unique_per_client) {
  std::set<std::string> nonces;
  for (int port = 1000; port < 1200; ++port) {
    nonces.insert(ready("203.0.113.5:" + std::to_string(port)).nonce);
    nonces.insert(ready("[2001:db8:9::1]:" + std::to_string(port)).nonce);
  }
  EXPECT_EQ(nonces.size(), 400u);
}

TEST_F(TurnCredentials, C054_nonce_lifetime) {
  auto c = ready();
  EXPECT_NE(ready("203.0.113.5:5001").nonce, c.nonce);
  now += config.nonce_lifetime;
  EXPECT_TRUE(ask_allocate(c).ok());
  EXPECT_LE(config.nonce_lifetime, seconds(3600));
}

TEST_F(TurnCredentials, C232_habit_no_438_on_prompt_allocate) {
  // Whenever the challenge falls, key rotation included.
  for (int minute = 0; minute < 26 * 60; minute += 7) {
    auto c = ready("203.0.113.5:" + std::to_string(2000 + minute));
    now += seconds(30);
    ASSERT_TRUE(ask_allocate(c).ok()) << minute;
    advance(seconds(7 * 60 - 30));
  }
}

TEST_F(TurnCredentials, C232_key_rotation_overlaps) {
  ready("203.0.113.5:2000");  // the keys' day begins
  now += std::chrono::hours(24) - seconds(10);
  auto c = ready();
  now += seconds(30);
  auto later = ready("203.0.113.5:5001");  // under the next key
  EXPECT_TRUE(ask_allocate(c).ok());
  EXPECT_TRUE(ask_allocate(later).ok());
  now += std::chrono::hours(24);
  auto next = ready("203.0.113.5:5002");
  EXPECT_TRUE(refresh(later, 0).error ==
              437);  // genuine for a day more, so the allocation's end is what it hears of
  now += std::chrono::hours(24);
  EXPECT_EQ(refresh(later, 0).error, 438);
}

TEST_F(TurnCredentials, C055_turn_requests_authenticated) {
  config.authenticate = false;
  auto c = client();
  EXPECT_TRUE(challenge(c).ok());  // open mode: no challenge
  EXPECT_EQ(server().allocation_count(), 1u);
  const Reply reply = talk(c, c.plain(Method::kRefresh, MessageClass::kRequest));
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.integrity, stun::IntegrityKind::kNone);
}

TEST_F(TurnCredentials, C056_unauthenticated_state_free) {
  for (int i = 0; i < 5000; ++i) {
    auto c = client("203.0.113.5:" + std::to_string(1024 + i));
    expect_challenge(challenge(c), 401);
    c.realm = "example.org";
    c.nonce = "obMatJos2wAAAforged";
    expect_challenge(ask_allocate(c), 438);
  }
  EXPECT_EQ(server().allocation_count(), 0u);
  EXPECT_EQ(users.lookups, 0);
  EXPECT_EQ(server().next_timeout(), kNever);
}

TEST_F(TurnCredentials, C058_other_user_441) {
  auto alice = ready();
  ASSERT_TRUE(ask_allocate(alice).ok());
  auto bob = client("203.0.113.5:5000", "bob", "hunter2");
  bob.learn(challenge(bob));
  for (const Method method :
       {Method::kAllocate, Method::kRefresh, Method::kCreatePermission, Method::kChannelBind}) {
    const Reply reply = talk(bob, bob.request(method, add_udp_transport));
    EXPECT_EQ(reply.error, 441);
    EXPECT_TRUE(bob.trusts(reply));  // with the key of who asks
    EXPECT_FALSE(alice.trusts(reply));
  }
}

TEST_F(TurnCredentials, C059_wrong_hmac_on_allocation_401) {
  auto c = ready();
  ASSERT_TRUE(ask_allocate(c).ok());
  auto thief = c;
  thief.password = "guess";
  expect_challenge(refresh(thief, 0), 401);
  EXPECT_EQ(server().allocation_count(), 1u);
  EXPECT_TRUE(refresh(c).ok());
}

TEST_F(TurnCredentials, C039_C041_authenticated_responses_have_integrity_and_no_credentials) {
  auto c = ready();
  std::vector<Reply> list{ask_allocate(c),
                          ask_allocate(c),
                          refresh(c),
                          permit(c, {"8.8.8.8:1"}),
                          permit(c, {}),
                          permit(c, {"10.0.0.1:1"}),
                          bind(c, 0x4000, "8.8.8.8:1"),
                          bind(c, 1, "8.8.8.8:1")};
  for (const Reply& reply : list) {
    EXPECT_TRUE(c.trusts(reply)) << reply.error;
    for (const Attribute attribute :
         {Attribute::kUsername, Attribute::kUserhash, Attribute::kRealm, Attribute::kNonce}) {
      EXPECT_FALSE(reply.has(attribute));
    }
  }
}

TEST_F(TurnCredentials, C035_mi256_full_length_only) {
  auto c = ready();
  c.use_algorithms = true;
  auto bytes = c.request(Method::kAllocate, add_udp_transport);
  bytes.erase(bytes.end() - 16, bytes.end());  // a truncated but otherwise right HMAC
  const std::size_t offset = test::tlv_offset(bytes, Attribute::kMessageIntegritySha256);
  wire::store_be16(bytes.data() + offset + 2, 16);
  test::fit_length(bytes);
  expect_challenge(talk(c, bytes), 401);
}

TEST_F(TurnCredentials, C036_mi256_preferred_when_both) {
  auto c = ready();
  c.use_algorithms = true;
  c.both_integrities = true;
  auto bytes = c.request(Method::kAllocate, add_udp_transport);
  bytes.back() ^= 1;  // MESSAGE-INTEGRITY is still right
  expect_challenge(talk(c, bytes), 401);
}

TEST_F(TurnCredentials, C022_attrs_after_integrity_ignored) {
  auto c = ready();
  auto bytes = c.request(Method::kAllocate, add_udp_transport);
  test::append_tlv(bytes, 0x7777, {1, 2, 3, 4});
  EXPECT_TRUE(talk(c, bytes).ok());
  EXPECT_EQ(server().counters().attributes_after_integrity, 1u);
}

TEST_F(TurnCredentials, C025_long_strings_parsed) {
  const std::string name(508, 'u');
  users.add(crypto, name, "secret");
  auto c = ready("203.0.113.5:5000", name);
  EXPECT_TRUE(ask_allocate(c).ok());
  auto longest = ready("203.0.113.5:5001", std::string(763, 'v'));
  EXPECT_EQ(ask_allocate(longest).error, 401);
}

TEST_F(TurnCredentials, C060_password_not_stored) {
  // What the server is given of a user is keys: a user store has no way to hand a password over.
  auto c = ready();
  ASSERT_TRUE(ask_allocate(c).ok());
  users.remove("alice");
  EXPECT_EQ(refresh(c).error, 401);  // and nothing of the key stays with the allocation
}

TEST_F(TurnCredentials, C219_oauth_unexpected_token_420) {
  auto c = ready();
  const Reply reply = allocate(c, [](MessageWriter& writer) { writer.add_u32(Attribute::kAccessToken, 1); });
  EXPECT_EQ(reply.error, 420);
  EXPECT_EQ(reply.unknown, std::vector<std::uint16_t>{0x001B});
}

TEST_F(TurnCredentials, C238_habit_libjuice_both_mi) {
  auto c = ready();
  c.use_algorithms = true;
  c.both_integrities = true;
  c.fingerprint = true;
  const Reply reply = ask_allocate(c);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.integrity, stun::IntegrityKind::kSha256);
  EXPECT_TRUE(c.trusts(reply));
}

TEST_F(TurnCredentials, C234_habit_refresh0_stale_nonce) {
  auto c = ready();
  ASSERT_TRUE(ask_allocate(c).ok());
  advance(seconds(500));
  ASSERT_TRUE(refresh(c, 3600).ok());
  advance(seconds(3000));
  EXPECT_EQ(refresh(c).error, 438);
  now += seconds(120);
  const Reply reply = refresh(c, 0);
  EXPECT_TRUE(reply.ok());
  EXPECT_EQ(reply.lifetime, 0u);
  EXPECT_EQ(server().allocation_count(), 0u);
}

// Two servers of a fleet, on machines that were started at other times.
TEST_F(TurnCredentials, a_fleet_takes_each_others_nonces) {
  config.fleet_key = "sixteen bytes or more";
  constexpr seconds kAhead{1'700'000'000};
  Server other(config, crypto, users);
  server().set_wall_clock(kAhead);
  other.set_wall_clock(kAhead + seconds(500'000));
  const Time there = now - seconds(500'000);
  const auto ask_there = [&](const Datagram& bytes, Time when) {
    effects.clear();
    other.handle_client(client().tuple, 0, bytes, when, effects);
    return replies().at(0).error;
  };
  auto c = client();
  c.learn(talk(c, c.plain(Method::kAllocate, MessageClass::kRequest)));
  const auto request = c.request(Method::kAllocate, add_udp_transport);
  EXPECT_EQ(ask_there(request, there), 0);
  EXPECT_EQ(ask_there(c.request(Method::kRefresh), there + config.nonce_lifetime + seconds(2)), 438);

  EXPECT_EQ(server().challenge(now)->nonce_keys, other.challenge(there)->nonce_keys);
  const auto today = server().challenge(now)->nonce_keys;
  const auto tomorrow = server().challenge(now + std::chrono::hours(24))->nonce_keys;
  EXPECT_EQ(tomorrow[1], today[0]);
  EXPECT_NE(tomorrow[0], today[0]);
  config.fleet_key = "another one of theirs";
  Server stranger(config, crypto, users);
  stranger.set_wall_clock(kAhead);
  EXPECT_NE(stranger.challenge(now)->nonce_keys, today);
}

}  // namespace
}  // namespace turnpike::turn
