// SPDX-License-Identifier: BSD-3-Clause
// Hostile inputs as far as parsing and integrity decide them.
#include <gtest/gtest.h>

#include <random>

#include "common/stun/integrity.hpp"
#include "common/stun/message_view.hpp"
#include "tests/support/stun_edit.hpp"
#include "tests/support/test_crypto.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::append_tlv;
using test::Datagram;
using test::load_vector;
using test::parse;
using test::tlv_offset;

TEST(StunMalformed, X01_any_change_of_the_cookie) {
  for (std::size_t byte = 4; byte < 8; ++byte) {
    Datagram datagram = load_vector("o-01");
    const std::uint8_t right = datagram[byte];
    for (int value = 0; value < 256; ++value) {
      datagram[byte] = static_cast<std::uint8_t>(value);
      EXPECT_EQ(parse(datagram), value == right ? ParseError::kNone : ParseError::kBadCookie);
    }
  }
}

TEST(StunMalformed, X02_length_without_bytes) {
  for (const std::size_t length : {2, 4}) {
    Datagram datagram = load_vector("o-01");
    test::set_length(datagram, length);
    EXPECT_EQ(parse(datagram), ParseError::kBadLength);
  }
}

TEST(StunMalformed, X03_trailing_byte) {
  Datagram datagram = load_vector("o-04");
  datagram.push_back(0);
  EXPECT_EQ(parse(datagram), ParseError::kBadLength);
}

TEST(StunMalformed, X04_attribute_past_the_end) {
  Datagram datagram = load_vector("o-07");
  const std::size_t offset = tlv_offset(datagram, Attribute::kMessageIntegrity);
  wire::store_be16(datagram.data() + offset + 2, 32);
  EXPECT_EQ(parse(datagram), ParseError::kAttributeOverrun);
}

TEST(StunMalformed, X05_flipped_fingerprint) {
  for (int bit = 0; bit < 32; ++bit) {
    Datagram datagram = load_vector("o-07");
    datagram[datagram.size() - 1 - static_cast<std::size_t>(bit / 8)] ^=
        static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_EQ(parse(datagram), ParseError::kBadFingerprint);
  }
}

TEST(StunMalformed, X06_flipped_hmac_parses_and_does_not_verify) {
  test::TestCrypto crypto;
  const Datagram key = test::from_hex(test::kVectorMd5Key);
  for (std::size_t bit = 0; bit < 160; ++bit) {
    Datagram datagram = load_vector("o-07");
    const std::size_t value = tlv_offset(datagram, Attribute::kMessageIntegrity) + 4;
    datagram[value + bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_EQ(parse(datagram), ParseError::kBadFingerprint);
    test::renew_fingerprint(datagram);
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view);
    EXPECT_FALSE(verify_integrity(crypto, *view, key));
  }
}

TEST(StunMalformed, X07_fingerprint_before_integrity) {
  Datagram datagram = load_vector("o-07");
  const std::size_t integrity = tlv_offset(datagram, Attribute::kMessageIntegrity);
  const Datagram moved(datagram.begin() + static_cast<std::ptrdiff_t>(integrity),
                       datagram.begin() + static_cast<std::ptrdiff_t>(integrity) + 24);
  datagram.erase(datagram.begin() + static_cast<std::ptrdiff_t>(integrity),
                 datagram.begin() + static_cast<std::ptrdiff_t>(integrity) + 24);
  datagram.insert(datagram.end(), moved.begin(), moved.end());
  EXPECT_EQ(parse(datagram), ParseError::kFingerprintNotLast);
}

TEST(StunMalformed, X08_responses_parse_but_are_not_accepted) {
  for (const char* name : {"o-02", "o-05", "o-08", "o-25", "o-28"}) {
    const Datagram datagram = load_vector(name);
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view) << name;
    EXPECT_FALSE(is_accepted(view->method(), view->message_class())) << name;
  }
}

TEST(StunMalformed, X12_X13_X14_unknown_attributes_around_the_integrity) {
  const struct {
    std::uint16_t code;
    bool before;
    std::size_t listed;
  } rows[] = {{0x7FF1, false, 0}, {0x7FF1, true, 1}, {0xFFF1, true, 0}};
  for (const auto& row : rows) {
    Datagram datagram = load_vector("o-07");
    test::drop_fingerprint(datagram);
    const std::size_t at = row.before ? tlv_offset(datagram, Attribute::kMessageIntegrity) : datagram.size();
    test::insert_tlv(datagram, at, row.code, {1, 2, 3, 4});
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->unknown_required().size(), row.listed);
  }
}

TEST(StunMalformed, X15_unknown_method_and_X16_undefined_class_are_not_accepted) {
  for (const unsigned type : {0x000DU, 0x0013U}) {
    Datagram datagram = load_vector("o-01");
    wire::store_be16(datagram.data(), static_cast<std::uint16_t>(type));
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view);
    EXPECT_FALSE(is_accepted(view->method(), view->message_class()));
  }
}

TEST(StunMalformed, X17_unexpected_attributes_in_a_request_are_known) {
  Datagram datagram = load_vector("o-04");
  append_tlv(datagram, static_cast<std::uint16_t>(Attribute::kErrorCode), {0, 0, 4, 0});
  append_tlv(datagram, static_cast<std::uint16_t>(Attribute::kXorRelayedAddress), Datagram(8));
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->unknown_required().empty());
}

TEST(StunMalformed, X19_username_of_763_bytes_is_whole) {
  Datagram datagram = load_vector("o-04");
  append_tlv(datagram, static_cast<std::uint16_t>(Attribute::kUsername), Datagram(763, 'u'));
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  const auto value = view->find(Attribute::kUsername);
  ASSERT_TRUE(value);
  EXPECT_EQ(decode_text(*value), std::string(763, 'u'));
}

// 0xFFFF in every 16-bit field that the walk reads as a length.
TEST(StunMalformed, X20_65535_in_every_length_field) {
  const Datagram whole = load_vector("o-07");
  Datagram datagram = whole;
  test::set_length(datagram, 65535);
  EXPECT_EQ(parse(datagram), ParseError::kBadLength);
  for (std::size_t offset = kHeaderSize; offset < whole.size();) {
    datagram = whole;
    wire::store_be16(datagram.data() + offset + 2, 0xFFFF);
    EXPECT_EQ(parse(datagram), ParseError::kAttributeOverrun) << offset;
    offset += 4 + padded_size(wire::load_be16(whole.data() + offset + 2));
  }
}

// Random bytes behind a right header: whatever the reader accepts, its views lie inside the message.
TEST(StunMalformed, random_attributes_never_lead_outside) {
  std::mt19937 random(20);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Datagram datagram = load_vector("o-01");
    const std::size_t words = random() % 6;
    for (std::size_t i = 0; i < words; ++i) {
      const std::uint32_t word = random() % 3 == 0 ? random() : (random() % 0x20) << 16 | random() % 12;
      datagram.resize(datagram.size() + 4);
      wire::store_be32(datagram.data() + datagram.size() - 4, word);
    }
    test::fit_length(datagram);
    const auto view = MessageView::parse(datagram);
    if (!view) continue;
    ++accepted;
    const std::uint8_t* const end = datagram.data() + datagram.size();
    view->for_each([&](std::uint16_t, Bytes value) {
      ASSERT_GE(value.data(), datagram.data() + kHeaderSize + 4);
      ASSERT_LE(value.data() + value.size(), end);
    });
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace turnpike::stun
