// SPDX-License-Identifier: BSD-3-Clause
// What clients that have proved nothing get from the lcore: 401, 438, silence above a rate.
#include "common/stun/challenge.hpp"
#include "common/stun/attributes.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

using stun::Attribute;
using stun::MessageView;

constexpr std::string_view kRealm = "example.org";
constexpr SipKey kKey{1, 2, 3, 4};
constexpr SipKey kKeyBefore{5, 6, 7, 8};

class Unproved : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    limit({0, 0});
  }

  void limit(const wire::SourceRates& limits) {
    worker_->lcore.sources = dataplane::make_sources(limits, 42, SOCKET_ID_ANY);
  }

  void set_challenge() {
    shm::Challenge fact;
    fact.nonce_keys = {kKey, kKeyBefore};
    fact.realm_size = static_cast<std::uint8_t>(kRealm.size());
    fact.offers_algorithms = 1;
    std::copy(kRealm.begin(), kRealm.end(), fact.realm.begin());
    command(shm::Command::kSetChallenge, fact);
  }

  template <typename Fill>
  static ByteVector request(Fill&& fill, stun::Method method = stun::Method::kAllocate) {
    ByteVector buffer(400);
    stun::MessageWriter writer(buffer);
    const ByteVector id = bytes_of("transaction!");
    writer.begin(method, stun::MessageClass::kRequest, stun::TransactionIdView(id.data(), 12));
    fill(writer);
    const Bytes message = writer.finish();
    return {message.begin(), message.end()};
  }
  static ByteVector plain(stun::Method method = stun::Method::kAllocate) {
    return request([](auto&) {}, method);
  }
  // As a client sends it that has been challenged; what the integrity is made of is control's business.
  static ByteVector with_credentials(std::string_view nonce, std::string_view realm = kRealm) {
    return request([&](stun::MessageWriter& writer) {
      writer.add_text(Attribute::kUsername, "alice");
      writer.add_text(Attribute::kRealm, realm);
      writer.add_text(Attribute::kNonce, nonce);
      writer.add(Attribute::kMessageIntegrity, ByteVector(20));
    });
  }

  std::string nonce_of(const SipKey& key, const wire::Endpoint& client) const {
    const auto nonce = stun::make_nonce(key, {client, 0}, {true, false}, 1000);
    return {nonce.data(), nonce.size()};
  }

  std::uint64_t punted() const { return counter(Counter::k_stun_to_control); }
  std::uint64_t answered() const { return counter(Counter::k_challenges_answered); }
};

TEST_F(Unproved, C043_a_request_without_credentials_gets_401_from_the_lcore) {
  set_challenge();
  for (const stun::Method method : {stun::Method::kAllocate, stun::Method::kRefresh,
                                    stun::Method::kCreatePermission, stun::Method::kChannelBind}) {
    receive(build(from_client(plain(method))));
    const ByteVector answer = only(0).payload;
    const auto view = MessageView::parse(Bytes(answer));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->type(), stun::encode_type(method, stun::MessageClass::kError));
    EXPECT_EQ(ByteVector(view->transaction_id().begin(), view->transaction_id().end()),
              bytes_of("transaction!"));
    const auto error = view->find(Attribute::kErrorCode);
    ASSERT_TRUE(error);
    EXPECT_EQ(ByteVector(error->begin(), error->end()), (ByteVector{0, 0, 4, 1}));
    EXPECT_EQ(stun::decode_text(*view->find(Attribute::kRealm)), kRealm);
    EXPECT_TRUE(view->has(Attribute::kPasswordAlgorithms));
    const std::array<SipKey, 1> keys{kKey};
    const auto nonce =
        stun::read_nonce(keys, {client_, 0}, *stun::decode_text(*view->find(Attribute::kNonce)));
    ASSERT_TRUE(nonce);
    EXPECT_EQ(nonce->seconds, kStartNs / kSecond);
    EXPECT_TRUE(nonce->features.password_algorithms);
    EXPECT_LE(answer.size(), 96u);
  }
  EXPECT_EQ(answered(), 4u);
  EXPECT_EQ(punted(), 0u);
}

TEST_F(Unproved, C048_a_nonce_that_nobody_made_for_this_client_gets_438) {
  set_challenge();
  for (const std::string& nonce :
       {nonce_of(kKey, endpoint("10.0.1.2:40001")), nonce_of(SipKey{9}, client_), std::string("nonsense")}) {
    receive(build(from_client(with_credentials(nonce))));
    const ByteVector answer = only(0).payload;
    const auto error = MessageView::parse(Bytes(answer))->find(Attribute::kErrorCode);
    EXPECT_EQ(ByteVector(error->begin(), error->end()), (ByteVector{0, 0, 4, 38}));
  }
  EXPECT_EQ(answered(), 3u);
  EXPECT_EQ(punted(), 0u);
}

TEST_F(Unproved, control_sees_who_has_a_nonce_and_what_only_control_can_say) {
  receive(build(from_client(plain())));  // no challenge is set yet
  set_challenge();
  receive(build(from_client(with_credentials(nonce_of(kKey, client_)))));
  receive(build(from_client(with_credentials(nonce_of(kKeyBefore, client_)))));
  receive(build(from_client(with_credentials("nonsense", "example.net"))));
  receive(build(from_client(request([](auto& writer) { writer.add_text(Attribute::kRealm, kRealm); }))));
  receive(build(from_client(
      request([](auto& writer) { writer.add_text(Attribute::kOrigin, "https://example.net"); }))));
  receive(build(
      from_client(request([](auto& writer) { writer.add(Attribute::kMessageIntegrity, ByteVector(20)); }))));
  EXPECT_EQ(punted(), 7u);
  EXPECT_EQ(answered(), 0u);
  command(shm::Command::kSetChallenge, shm::Challenge{});
  receive(build(from_client(plain())));
  EXPECT_EQ(punted(), 8u);
}

TEST_F(Unproved, a_challenge_with_an_impossible_realm_is_refused) {
  set_challenge();
  shm::Challenge fact;
  fact.realm_size = 129;
  command(shm::Command::kSetChallenge, fact);
  EXPECT_EQ(counter(Counter::k_commands_invalid), 1u);
  receive(build(from_client(plain())));
  EXPECT_EQ(answered(), 1u) << "the one before it stays";
}

TEST_F(Unproved, one_source_gets_so_many_answers_and_others_theirs) {
  set_challenge();
  limit({5, 0});
  UdpFrame other = from_client(plain());
  other.source = endpoint("10.0.1.3:40000");
  for (int i = 0; i < 20; ++i) {
    UdpFrame frame = from_client(i % 2 != 0 ? plain() : plain(stun::Method::kBinding));
    frame.source.port = static_cast<std::uint16_t>(40000 + i);  // ports do not help
    receive(build(frame));
  }
  EXPECT_EQ(answered() + counter(Counter::k_binding_answered), 10u);
  EXPECT_EQ(drops(DropReason::k_source_over_rate), 10u);
  receive(build(other));
  EXPECT_EQ(sent(0).size(), 1u);
  advance(1);
  for (int i = 0; i < 10; ++i) receive(build(from_client(plain())));
  EXPECT_EQ(drops(DropReason::k_source_over_rate), 15u);
}

TEST_F(Unproved, of_ipv6_a_64_is_one_source) {
  set_challenge();
  limit({1, 0});
  UdpFrame frame = from_client(plain());
  frame.destination = endpoint("[fd00:1::1]:3478");
  for (const char* source :
       {"[fd00:1::2]:1024", "[fd00:1::3]:1024", "[fd00:1::4]:1024", "[fd00:1:0:1::2]:1024"}) {
    frame.source = endpoint(source);
    receive(build(frame));
  }
  EXPECT_EQ(answered(), 3u);
  EXPECT_EQ(drops(DropReason::k_source_over_rate), 1u);
}

TEST_F(Unproved, who_has_an_allocation_is_not_limited) {
  set_challenge();
  limit({1, 1});
  install_allocation();
  for (int i = 0; i < 20; ++i) receive(build(from_client(with_credentials(nonce_of(kKey, client_)))));
  EXPECT_EQ(punted(), 20u);
}

TEST_F(Unproved, all_sources_together_have_a_limit) {
  limit({0, 10});
  for (int i = 0; i < 30; ++i) {
    UdpFrame frame = from_client(plain(stun::Method::kBinding));
    frame.source = {wire::IpAddress::v4(0x0A000103 + i), 0, 40000};
    receive(build(frame));
  }
  EXPECT_EQ(counter(Counter::k_binding_answered), 20u);
  EXPECT_EQ(drops(DropReason::k_unproved_over_rate), 10u);
}

TEST_F(Unproved, a_flood_of_sources_forgets_the_silent_ones_first) {
  limit({1, 0});
  const ByteVector mine = build(from_client(plain(stun::Method::kBinding)));
  receive(mine);
  receive(mine);
  for (int i = 0; i < 2000; ++i) {
    UdpFrame frame = from_client(plain(stun::Method::kBinding));
    frame.source = {wire::IpAddress::v4(0x0B000000 + i), 0, 40000};
    receive(build(frame));
  }
  receive(mine);
  EXPECT_EQ(drops(DropReason::k_source_over_rate), 1u) << "2000 of 65536 places";
}

TEST_F(Unproved, ports_whose_services_answer_answers_get_none) {
  set_challenge();
  for (const std::uint16_t port : {7, 19, 53, 123, 389, 1900}) {
    for (const stun::Method method : {stun::Method::kBinding, stun::Method::kAllocate}) {
      UdpFrame frame = from_client(plain(method));
      frame.source.port = port;
      receive(build(frame));
      EXPECT_TRUE(silent());
    }
  }
  EXPECT_EQ(drops(DropReason::k_source_reflects), 12u);
}

TEST_F(Unproved, our_own_addresses_ask_nothing) {
  set_challenge();
  for (const wire::IpAddress& address : {server_.address, relay_v4_.address}) {
    for (const stun::Method method : {stun::Method::kBinding, stun::Method::kAllocate}) {
      UdpFrame frame = from_client(plain(method));
      frame.source.address = address;
      receive(build(frame));
      EXPECT_TRUE(silent());
    }
  }
  EXPECT_EQ(drops(DropReason::k_ip_source_invalid), 4u);
}

}  // namespace
}  // namespace turnpike::test
