// SPDX-License-Identifier: BSD-3-Clause
// Every vector O-nn both ways: the writer makes its bytes from values, the reader takes the bytes.
#include <gtest/gtest.h>

#include <functional>

#include "common/stun/integrity.hpp"
#include "common/stun/message_view.hpp"
#include "common/stun/message_writer.hpp"
#include "tests/support/stun_edit.hpp"
#include "tests/support/test_crypto.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::Datagram;
using test::endpoint;
using test::from_hex;
using test::load_vector;
using enum MessageClass;

constexpr std::string_view kNonce = "obMatJos2AAAA0123456789abcdef";
constexpr std::string_view kNonceAlgorithms = "obMatJos2gAAA0123456789abcdef";
constexpr std::string_view kNonceBoth = "obMatJos2wAAA0123456789abcdef";
constexpr PasswordAlgorithm kAlgorithms[] = {PasswordAlgorithm::kSha256, PasswordAlgorithm::kMd5};

const char* const kClientV4 = "198.51.100.7:40000";
const char* const kClientV6 = "[2001:db8::7]:40000";
const char* const kRelay = "192.0.2.15:50000";
const char* const kPeer = "192.0.2.150:32102";
const char* const kOtherPeer = "192.0.2.210:49191";

void realm_and_nonce(MessageWriter& w, std::string_view nonce) {
  w.add_text(Attribute::kRealm, test::kVectorRealm);
  w.add_text(Attribute::kNonce, nonce);
}
void credentials(MessageWriter& w, std::string_view nonce) {
  w.add_text(Attribute::kUsername, test::kVectorUser);
  realm_and_nonce(w, nonce);
}
void algorithms(MessageWriter& w) {
  w.add_password_algorithms(kAlgorithms);
  w.add_password_algorithm(PasswordAlgorithm::kSha256);
}
void address(MessageWriter& w, Attribute attribute, const char* text) {
  w.add_xor_address(attribute, endpoint(text));
}
void allocated(MessageWriter& w) {
  address(w, Attribute::kXorRelayedAddress, kRelay);
  w.add_u32(Attribute::kLifetime, 600);
  address(w, Attribute::kXorMappedAddress, kClientV4);
}

using Sign = IntegrityKind;
Datagram key_of(Sign sign) {
  return from_hex(sign == Sign::kSha256 ? test::kVectorSha256Key : test::kVectorMd5Key);
}
enum class Fingerprint { kNo, kYes };

struct Row {
  const char* name;
  Method method;
  MessageClass message_class;
  Sign sign;
  Fingerprint fingerprint;
  std::function<void(MessageWriter&)> fill;
};

const std::vector<Row>& rows() {
  using A = Attribute;
  using W = MessageWriter;
  using enum Fingerprint;
  static const std::vector<Row> table = {
      {"o-01", Method::kBinding, kRequest, Sign::kNone, kNo, [](W&) {}},
      {"o-02", Method::kBinding, kSuccess, Sign::kNone, kNo,
       [](W& w) { address(w, A::kXorMappedAddress, kClientV4); }},
      {"o-03", Method::kBinding, kSuccess, Sign::kNone, kYes,
       [](W& w) { address(w, A::kXorMappedAddress, kClientV6); }},
      {"o-04", Method::kAllocate, kRequest, Sign::kNone, kNo,
       [](W& w) { w.add_requested_transport(kTransportUdp); }},
      {"o-05", Method::kAllocate, kError, Sign::kNone, kYes,
       [](W& w) {
         w.add_error(ErrorCode::kUnauthenticated);
         realm_and_nonce(w, kNonce);
       }},
      {"o-06", Method::kAllocate, kError, Sign::kNone, kYes,
       [](W& w) {
         w.add_error(ErrorCode::kUnauthenticated);
         realm_and_nonce(w, kNonceAlgorithms);
         w.add_password_algorithms(kAlgorithms);
       }},
      {"o-07", Method::kAllocate, kRequest, Sign::kSha1, kYes,
       [](W& w) {
         w.add_requested_transport(kTransportUdp);
         credentials(w, kNonce);
       }},
      {"o-08", Method::kAllocate, kSuccess, Sign::kSha1, kYes, allocated},
      {"o-09", Method::kAllocate, kRequest, Sign::kSha256, kYes,
       [](W& w) {
         w.add_requested_transport(kTransportUdp);
         credentials(w, kNonceAlgorithms);
         algorithms(w);
       }},
      {"o-10", Method::kAllocate, kSuccess, Sign::kSha256, kYes, allocated},
      {"o-11", Method::kAllocate, kRequest, Sign::kSha256, kYes,
       [](W& w) {
         w.add_requested_transport(kTransportUdp);
         w.add(A::kUserhash, from_hex(test::kVectorUserhash));
         realm_and_nonce(w, kNonceBoth);
         algorithms(w);
       }},
      {"o-13", Method::kCreatePermission, kRequest, Sign::kSha1, kYes,
       [](W& w) {
         address(w, A::kXorPeerAddress, "192.0.2.150:0");
         address(w, A::kXorPeerAddress, kOtherPeer);
         credentials(w, kNonce);
       }},
      {"o-14", Method::kCreatePermission, kSuccess, Sign::kSha1, kYes, [](W&) {}},
      {"o-15", Method::kChannelBind, kRequest, Sign::kSha1, kYes,
       [](W& w) {
         w.add_channel_number(0x4000);
         address(w, A::kXorPeerAddress, kOtherPeer);
         credentials(w, kNonce);
       }},
      {"o-16", Method::kChannelBind, kSuccess, Sign::kSha1, kYes, [](W&) {}},
      {"o-17", Method::kSend, kIndication, Sign::kNone, kNo,
       [](W& w) {
         address(w, A::kXorPeerAddress, kPeer);
         w.add_text(A::kData, "hello");
       }},
      {"o-18", Method::kSend, kIndication, Sign::kNone, kNo,
       [](W& w) {
         w.add_empty(A::kDontFragment);
         address(w, A::kXorPeerAddress, kPeer);
         w.add_text(A::kData, "hello");
       }},
      {"o-19", Method::kData, kIndication, Sign::kNone, kNo,
       [](W& w) {
         address(w, A::kXorPeerAddress, kPeer);
         w.add_text(A::kData, "hello");
       }},
      {"o-20", Method::kData, kIndication, Sign::kNone, kNo,
       [](W& w) {
         address(w, A::kXorPeerAddress, "[2001:db8::150]:32102");
         w.add_text(A::kData, "hello");
       }},
      {"o-21", Method::kData, kIndication, Sign::kNone, kNo,
       [](W& w) {
         address(w, A::kXorPeerAddress, kPeer);
         w.add_icmp({3, 4, 1400});
       }},
      {"o-25", Method::kAllocate, kError, Sign::kSha1, kYes,
       [](W& w) {
         const std::uint16_t unknown[] = {0x001A, 0x7FF1, 0x0023};
         w.add_error(ErrorCode::kUnknownAttribute);
         w.add_unknown_attributes(unknown);
       }},
      {"o-26", Method::kRefresh, kRequest, Sign::kSha1, kYes,
       [](W& w) {
         w.add_u32(A::kLifetime, 0);
         credentials(w, kNonce);
       }},
      {"o-27", Method::kRefresh, kSuccess, Sign::kSha1, kYes, [](W& w) { w.add_u32(A::kLifetime, 0); }},
      {"o-28", Method::kRefresh, kError, Sign::kNone, kYes,
       [](W& w) {
         w.add_error(ErrorCode::kStaleNonce);
         realm_and_nonce(w, "obMatJos2AAAAfedcba9876543210");
       }},
      {"o-29", Method::kAllocate, kSuccess, Sign::kSha1, kYes,
       [](W& w) {
         allocated(w);
         w.add_address_error(Family::kIpv6, ErrorCode::kInsufficientCapacity);
       }},
      {"o-30", Method::kConnectionAttempt, kIndication, Sign::kNone, kNo,
       [](W& w) {
         address(w, A::kXorPeerAddress, "192.0.2.150:51000");
         w.add_u32(A::kConnectionId, 0x01020304);
       }},
  };
  return table;
}

class StunVectors : public ::testing::TestWithParam<Row> {};

TEST_P(StunVectors, the_writer_makes_the_bytes) {
  const Row& row = GetParam();
  const Datagram expected = load_vector(row.name);
  const auto view = MessageView::parse(expected);
  ASSERT_TRUE(view);
  test::TestCrypto crypto;
  Datagram buffer(300, 0xAA);
  MessageWriter writer(buffer);
  writer.begin(row.method, row.message_class, view->transaction_id());
  row.fill(writer);
  add_integrity(writer, row.sign, crypto, key_of(row.sign));
  if (row.fingerprint == Fingerprint::kYes) writer.add_fingerprint();
  const Bytes message = writer.finish();
  EXPECT_EQ(Datagram(message.begin(), message.end()), expected);
}

TEST_P(StunVectors, the_reader_accepts_and_verifies) {
  const Row& row = GetParam();
  const Datagram datagram = load_vector(row.name);
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->method(), row.method);
  EXPECT_EQ(view->message_class(), row.message_class);
  EXPECT_EQ(view->has_fingerprint(), row.fingerprint == Fingerprint::kYes);
  test::TestCrypto crypto;
  EXPECT_EQ(integrity_kind(*view), row.sign);
  EXPECT_EQ(verify_integrity(crypto, *view, key_of(row.sign)), row.sign != Sign::kNone);
  EXPECT_FALSE(verify_integrity(crypto, *view, as_bytes("another key")));
}

INSTANTIATE_TEST_SUITE_P(O, StunVectors, ::testing::ValuesIn(rows()),
                         [](const auto& info) { return std::string(info.param.name).substr(2); });

TEST(StunVectorValues, keys_and_userhash_follow_from_the_credentials) {
  test::TestCrypto crypto;
  const std::string name_realm = std::string(test::kVectorUser) + ":" + std::string(test::kVectorRealm);
  const std::string all = name_realm + ":" + std::string(test::kVectorPassword);
  const auto md5 = crypto.md5(as_bytes(all));
  const auto sha256 = crypto.sha256(as_bytes(all));
  const auto userhash = crypto.sha256(as_bytes(name_realm));
  EXPECT_EQ(Datagram(md5.begin(), md5.end()), from_hex(test::kVectorMd5Key));
  EXPECT_EQ(Datagram(sha256.begin(), sha256.end()), from_hex(test::kVectorSha256Key));
  EXPECT_EQ(Datagram(userhash.begin(), userhash.end()), from_hex(test::kVectorUserhash));
}

TEST(StunVectorValues, C023_rfc5769_mapped_addresses) {
  const std::pair<const char*, const char*> expected[] = {
      {"rfc5769-2.2", "192.0.2.1:32853"}, {"rfc5769-2.3", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"}};
  for (const auto& [name, text] : expected) {
    const Datagram datagram = load_vector(name);
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view);
    const auto value = view->find(Attribute::kXorMappedAddress);
    ASSERT_TRUE(value);
    EXPECT_EQ(decode_xor_address(*value, view->transaction_id()), endpoint(text));
  }
}

TEST(StunVectorValues, O13_both_peers_are_visited) {
  const Datagram datagram = load_vector("o-13");
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  std::vector<Endpoint> peers;
  view->for_each(Attribute::kXorPeerAddress, [&](Bytes value) {
    peers.push_back(decode_xor_address(value, view->transaction_id()).value());
  });
  EXPECT_EQ(peers, (std::vector<Endpoint>{endpoint("192.0.2.150:0"), endpoint(kOtherPeer)}));
}

TEST(StunVectorValues, O12_truncated_value_is_readable) {
  const Datagram datagram = load_vector("o-12");
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->value_at(view->integrity_sha256_offset()).size(), 16U);
}

}  // namespace
}  // namespace turnpike::stun
