// SPDX-License-Identifier: BSD-3-Clause
// MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 on the vectors of the RFCs and on messages built here.
#include "common/stun/integrity.hpp"

#include <gtest/gtest.h>

#include <string>

#include "common/base/constant_time.hpp"
#include "tests/support/stun_edit.hpp"
#include "tests/support/test_crypto.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::append_tlv;
using test::Datagram;
using test::from_hex;
using test::load_vector;
using test::TestCrypto;

constexpr TransactionId kSignedId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr std::string_view kShortTermPassword = "VOkJxbRl1RmTxUk/WvJxBt";
const char* const kB1User = "e3839e e38388 e383aa e38383 e382af e382b9";  // of RFC 5769 section 2.4 as well

// user ":" realm ":" password, the input of the long-term keys.
Datagram key_input(const Datagram& user, std::string_view realm, std::string_view password) {
  Datagram input = user;
  const std::string rest = ":" + std::string(realm) + ":" + std::string(password);
  input.insert(input.end(), rest.begin(), rest.end());
  return input;
}

bool verifies(const Datagram& datagram, Bytes key) {
  const auto view = MessageView::parse(datagram);
  TestCrypto crypto;
  return view && verify_integrity(crypto, *view, key);
}

TEST(StunIntegrity, C032_mi_rfc5769_vectors) {
  for (const char* name : {"rfc5769-2.1", "rfc5769-2.2", "rfc5769-2.3"}) {
    EXPECT_TRUE(verifies(load_vector(name), as_bytes(kShortTermPassword))) << name;
    EXPECT_FALSE(verifies(load_vector(name), as_bytes("VOkJxbRl1RmTxUk/WvJxBT"))) << name;
  }
  TestCrypto crypto;
  const auto key = crypto.md5(key_input(from_hex(kB1User), "example.org", "TheMatrIX"));
  EXPECT_EQ(Datagram(key.begin(), key.end()), from_hex("e8ca7ad59d5eb0518e312911d2dab2a9"));
  EXPECT_TRUE(verifies(load_vector("rfc5769-2.4"), key));
}

TEST(StunIntegrity, C033_mi_length_adjusted) {
  // 2.1 has FINGERPRINT behind the integrity attribute; with less or more behind it, it must verify too.
  Datagram datagram = load_vector("rfc5769-2.1");
  test::drop_fingerprint(datagram);
  EXPECT_TRUE(verifies(datagram, as_bytes(kShortTermPassword)));
  append_tlv(datagram, 0x7FF1, Datagram(33));
  EXPECT_TRUE(verifies(datagram, as_bytes(kShortTermPassword)));
  test::renew_fingerprint(datagram);
  EXPECT_TRUE(verifies(datagram, as_bytes(kShortTermPassword)));
}

TEST(StunIntegrity, every_covered_bit_matters) {
  const Datagram whole = load_vector("o-12");
  Datagram message(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(test::tlv_offset(
                                                      whole, Attribute::kMessageIntegritySha256)));
  test::fit_length(message);
  Datagram buffer(600);
  const Datagram key = from_hex(test::kVectorMd5Key);
  const std::size_t covered = message.size();
  TestCrypto crypto;
  // Rebuild with a writer over the same attributes, then flip each bit.
  MessageWriter writer(buffer);
  const auto view = MessageView::parse(message);
  ASSERT_TRUE(view);
  writer.begin(view->method(), view->message_class(), view->transaction_id());
  view->for_each([&](std::uint16_t code, Bytes value) { writer.add(static_cast<Attribute>(code), value); });
  add_integrity(writer, IntegrityKind::kSha1, crypto, key);
  const Bytes signed_bytes = writer.finish();
  ASSERT_EQ(signed_bytes.size(), covered + 24);
  const Datagram good(signed_bytes.begin(), signed_bytes.end());
  ASSERT_TRUE(verifies(good, key));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Datagram flipped = good;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    ASSERT_FALSE(verifies(flipped, key)) << "bit " << bit;
  }
}

TEST(StunIntegrity, C034_mi_sha256_vector) {
  TestCrypto crypto;
  const Datagram input = key_input(from_hex(kB1User), "example.org", "TheMatrIX");
  const auto sha256_key = crypto.sha256(input);
  const auto md5_key = crypto.md5(input);
  EXPECT_EQ(Datagram(sha256_key.begin(), sha256_key.end()),
            from_hex("dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1"));
  EXPECT_TRUE(verifies(load_vector("rfc8489-b1"), sha256_key));
  EXPECT_TRUE(verifies(load_vector("rfc8489-b1-length"), sha256_key));
  EXPECT_TRUE(verifies(load_vector("rfc8489-b1-md5"), md5_key));
  EXPECT_FALSE(verifies(load_vector("rfc8489-b1"), md5_key));

  const Datagram printed = load_vector("rfc8489-b1-printed");
  MessageView view;
  EXPECT_EQ(MessageView::parse(printed, view), ParseError::kBadLength);
}

TEST(StunIntegrity, C035_mi256_full_length_only) {
  const Datagram truncated = load_vector("o-12");  // its 16 bytes are right as far as they go
  const auto view = MessageView::parse(truncated);
  ASSERT_TRUE(view);
  EXPECT_EQ(integrity_kind(*view), IntegrityKind::kSha256);
  EXPECT_FALSE(verifies(truncated, from_hex(test::kVectorMd5Key)));

  TestCrypto crypto;
  const Datagram key = from_hex(test::kVectorSha256Key);
  for (std::size_t size = 0; size <= 36; ++size) {
    Datagram message = load_vector("o-04");
    Datagram header(message.begin(), message.begin() + kHeaderSize);
    test::set_length(header, message.size() - kHeaderSize + 4 + size);
    const auto mac = crypto.hmac_sha256(key, header, Bytes(message).subspan(kHeaderSize));
    Datagram value(mac.begin(), mac.end());
    value.resize(size);
    append_tlv(message, static_cast<std::uint16_t>(Attribute::kMessageIntegritySha256), value);
    EXPECT_EQ(verifies(message, key), size == 32) << size;
  }
}

TEST(StunIntegrity, X18_message_integrity_of_another_size_fails) {
  TestCrypto crypto;
  const Datagram key = from_hex(test::kVectorMd5Key);
  for (const std::size_t size : {0, 4, 16, 19, 21, 24, 32}) {
    Datagram message = load_vector("o-04");
    Datagram header(message.begin(), message.begin() + kHeaderSize);
    test::set_length(header, message.size() - kHeaderSize + 4 + 20);
    const auto mac = crypto.hmac_sha1(key, header, Bytes(message).subspan(kHeaderSize));
    Datagram value(mac.begin(), mac.end());
    value.resize(size);
    append_tlv(message, static_cast<std::uint16_t>(Attribute::kMessageIntegrity), value);
    EXPECT_FALSE(verifies(message, key)) << size;
  }
}

TEST(StunIntegrity, C036_mi256_preferred_when_both) {
  TestCrypto crypto;
  const Datagram right = from_hex(test::kVectorSha256Key);
  const Datagram wrong(32, 0x77);
  const struct {
    const Datagram& sha1_key;
    const Datagram& sha256_key;
    bool expected;
  } rows[] = {{right, right, true}, {wrong, right, true}, {right, wrong, false}};
  for (const auto& row : rows) {
    Datagram buffer(300);
    MessageWriter writer(buffer);
    writer.begin(Method::kRefresh, MessageClass::kRequest, kSignedId);
    writer.add_u32(Attribute::kLifetime, 0);
    add_integrity(writer, IntegrityKind::kSha1, crypto, row.sha1_key);
    add_integrity(writer, IntegrityKind::kSha256, crypto, row.sha256_key);
    writer.add_fingerprint();
    const Bytes message = writer.finish();
    ASSERT_FALSE(message.empty());
    EXPECT_EQ(verifies(Datagram(message.begin(), message.end()), right), row.expected);
  }
}

TEST(StunIntegrity, absent_attribute_never_verifies) {
  TestCrypto crypto;
  const Datagram datagram = load_vector("o-04");
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(integrity_kind(*view), IntegrityKind::kNone);
  EXPECT_FALSE(verify_sha1(crypto, *view, Bytes()));
  EXPECT_FALSE(verify_sha256(crypto, *view, Bytes()));
  EXPECT_FALSE(verify_integrity(crypto, *view, Bytes()));
}

TEST(StunIntegrity, no_room_fails_the_message) {
  TestCrypto crypto;
  Datagram buffer(20 + 24 - 1);
  MessageWriter writer(buffer);
  writer.begin(Method::kRefresh, MessageClass::kRequest, kSignedId);
  add_integrity(writer, IntegrityKind::kSha1, crypto, as_bytes("key"));
  EXPECT_TRUE(writer.finish().empty());
}

TEST(ConstantTime, C042_compare_is_equality) {
  const Datagram value = from_hex("00112233445566778899");
  EXPECT_TRUE(constant_time_equal(value, value));
  EXPECT_TRUE(constant_time_equal(Bytes(), Bytes()));
  EXPECT_FALSE(constant_time_equal(value, Bytes(value).first(9)));
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    Datagram other = value;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(constant_time_equal(value, other)) << bit;
  }
}

}  // namespace
}  // namespace turnpike::stun
