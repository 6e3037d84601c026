// SPDX-License-Identifier: BSD-3-Clause
// The validating reader: header, attribute walk, FINGERPRINT and the rules around the integrity attributes.
#include "common/stun/message_view.hpp"

#include <gtest/gtest.h>

#include "tests/support/stun_edit.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::append_tlv;
using test::code;
using test::Datagram;
using test::insert_tlv;
using test::load_vector;
using test::parse;
using test::tlv_offset;

TEST(StunView, header_accessors) {
  const Datagram datagram = load_vector("o-07");
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->type(), 0x0003);
  EXPECT_EQ(view->method(), Method::kAllocate);
  EXPECT_EQ(view->message_class(), MessageClass::kRequest);
  EXPECT_EQ(view->transaction_id()[0], 0xB0);
  EXPECT_EQ(view->transaction_id()[11], 0xBB);
  EXPECT_EQ(view->bytes().data(), datagram.data());
  EXPECT_EQ(view->bytes().size(), datagram.size());
}

TEST(StunView, C009_hdr_top_bits_zero) {
  for (const int bits : {0x40, 0x80, 0xC0}) {
    Datagram datagram = load_vector("o-01");
    datagram[0] = static_cast<std::uint8_t>(bits);
    EXPECT_EQ(parse(datagram), ParseError::kNotStun);
  }
}

TEST(StunView, C010_hdr_bad_cookie_dropped) {
  for (std::size_t byte = 4; byte < 8; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      Datagram datagram = load_vector("o-01");
      datagram[byte] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_EQ(parse(datagram), ParseError::kBadCookie);
    }
  }
}

TEST(StunView, C011_hdr_bad_length_dropped) {
  const Datagram whole = load_vector("o-07");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Datagram cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(parse(cut), size < 20 ? ParseError::kTooShort : ParseError::kBadLength) << size;
  }
  Datagram longer = whole;
  longer.push_back(0);
  EXPECT_EQ(parse(longer), ParseError::kBadLength);
  for (const std::size_t length : {1, 2, 3, 4, 65532, 65535}) {
    Datagram datagram = load_vector("o-01");
    test::set_length(datagram, length);
    EXPECT_EQ(parse(datagram), ParseError::kBadLength) << length;
  }
  Datagram odd = load_vector("o-01");  // 20 + length fits the datagram, but is no multiple of four
  odd.insert(odd.end(), {0, 0});
  test::set_length(odd, 2);
  EXPECT_EQ(parse(odd), ParseError::kBadLength);
}

TEST(StunView, C015_attr_overrun_dropped) {
  const Datagram whole = load_vector("o-04");
  for (unsigned length = 0; length <= 0xFFFF; ++length) {
    Datagram datagram = whole;
    wire::store_be16(datagram.data() + 22, static_cast<std::uint16_t>(length));
    // 1..4 bytes plus padding end exactly; 0 leaves four bytes that read as a TLV of length 0.
    const ParseError expected = length <= 4 ? ParseError::kNone : ParseError::kAttributeOverrun;
    ASSERT_EQ(parse(datagram), expected) << length;
  }
}

TEST(StunView, C016_attr_padding_content_is_ignored) {
  Datagram datagram = load_vector("o-01");
  append_tlv(datagram, code(Attribute::kUsername), {'a', 'b', 'c', 'd', 'e'}, 0xEE);
  append_tlv(datagram, code(Attribute::kLifetime), {0, 0, 2, 0x58});
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->find(Attribute::kUsername)->size(), 5U);
  EXPECT_TRUE(view->has(Attribute::kLifetime));
}

TEST(StunView, C017_attr_first_occurrence_wins) {
  Datagram datagram = load_vector("o-01");
  append_tlv(datagram, code(Attribute::kLifetime), {0, 0, 0, 1});
  append_tlv(datagram, code(Attribute::kLifetime), {0, 0, 0, 2});
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->find(Attribute::kLifetime)->back(), 1);
  int seen = 0;
  view->for_each(Attribute::kLifetime, [&](Bytes value) { EXPECT_EQ(value.back(), ++seen); });
  EXPECT_EQ(seen, 2);
  EXPECT_FALSE(view->find(Attribute::kUsername));
}

TEST(StunView, C018_unknown_optional_ignored) {
  Datagram datagram = load_vector("o-04");
  append_tlv(datagram, 0x8000 + 0x7FF1, {1, 2, 3});
  append_tlv(datagram, 0xFF05, {});
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->unknown_required().empty());
}

TEST(StunView, C019_unknown_required_are_listed_once_in_order) {
  Datagram datagram = load_vector("o-04");
  for (const int unknown : {0x7FF1, 0x0003, 0x7FF1, 0x0010, 0x0003}) {
    append_tlv(datagram, static_cast<std::uint16_t>(unknown), {});
  }
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  const auto listed = view->unknown_required();
  EXPECT_EQ(std::vector<std::uint16_t>(listed.begin(), listed.end()),
            (std::vector<std::uint16_t>{0x7FF1, 0x0003, 0x0010}));
}

TEST(StunView, C019_the_list_of_unknown_attributes_is_bounded) {
  Datagram datagram = load_vector("o-04");
  for (std::uint16_t i = 0; i < 100; ++i) append_tlv(datagram, static_cast<std::uint16_t>(0x4000 + i), {});
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  ASSERT_EQ(view->unknown_required().size(), MessageView::kMaxUnknown);
  EXPECT_EQ(view->unknown_required().back(), 0x4000 + MessageView::kMaxUnknown - 1);
}

TEST(StunView, C021_known_unexpected_is_not_unknown) {
  Datagram datagram = load_vector("o-01");
  append_tlv(datagram, code(Attribute::kErrorCode), {0, 0, 4, 1});
  append_tlv(datagram, code(Attribute::kXorRelayedAddress), {});
  append_tlv(datagram, code(Attribute::kPriority), {0, 0, 0, 1});
  append_tlv(datagram, code(Attribute::kUseCandidate), {});
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->unknown_required().empty());
}

TEST(StunView, C022_attrs_after_integrity_ignored) {
  for (const Attribute integrity : {Attribute::kMessageIntegrity, Attribute::kMessageIntegritySha256}) {
    Datagram datagram = load_vector("o-04");
    append_tlv(datagram, code(integrity), Datagram(20));
    append_tlv(datagram, 0x7FF1, {1});
    append_tlv(datagram, code(Attribute::kLifetime), {0, 0, 0, 1});
    test::renew_fingerprint(datagram);
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->unknown_required().empty());
    EXPECT_FALSE(view->has(Attribute::kLifetime));
    EXPECT_TRUE(view->has(Attribute::kRequestedTransport));
    EXPECT_TRUE(view->has_integrity());
    EXPECT_TRUE(view->has_fingerprint());
    int visited = 0;
    view->for_each([&](std::uint16_t, Bytes) { ++visited; });
    EXPECT_EQ(visited, 1);
  }
}

TEST(StunView, C022_sha256_after_sha1_counts_and_not_the_other_way_round) {
  Datagram datagram = load_vector("o-04");
  append_tlv(datagram, code(Attribute::kMessageIntegrity), Datagram(20));
  append_tlv(datagram, 0x7FF1, {});
  append_tlv(datagram, code(Attribute::kMessageIntegritySha256), Datagram(32));
  auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->integrity_offset(), 28U);
  EXPECT_EQ(view->integrity_sha256_offset(), 28U + 24U + 4U);
  EXPECT_EQ(view->value_at(view->integrity_sha256_offset()).size(), 32U);

  Datagram swapped = load_vector("o-04");
  append_tlv(swapped, code(Attribute::kMessageIntegritySha256), Datagram(32));
  append_tlv(swapped, code(Attribute::kMessageIntegrity), Datagram(20));
  view = MessageView::parse(swapped);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->integrity_offset(), 0U)
      << "everything after the SHA-256 attribute but FINGERPRINT is ignored";
  EXPECT_EQ(view->integrity_sha256_offset(), 28U);
}

TEST(StunView, the_first_of_several_integrity_attributes_counts) {
  Datagram datagram = load_vector("o-04");
  append_tlv(datagram, code(Attribute::kMessageIntegrity), Datagram(20, 1));
  append_tlv(datagram, code(Attribute::kMessageIntegrity), Datagram(20, 2));
  append_tlv(datagram, code(Attribute::kMessageIntegritySha256), Datagram(32, 3));
  append_tlv(datagram, code(Attribute::kMessageIntegritySha256), Datagram(32, 4));
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->value_at(view->integrity_offset())[0], 1);
  EXPECT_EQ(view->value_at(view->integrity_sha256_offset())[0], 3);
}

TEST(StunView, C026_no_integer_wrap_in_lengths) {
  // The largest message there is, one attribute of 65528 bytes.
  Datagram largest = load_vector("o-01");
  append_tlv(largest, code(Attribute::kData), Datagram(65528, 0x5A));
  ASSERT_EQ(largest.size(), kMaxMessageSize);
  const auto view = MessageView::parse(largest);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->find(Attribute::kData)->size(), 65528U);
  for (const unsigned length : {65529U, 65532U, 65533U, 65535U}) {
    wire::store_be16(largest.data() + 22, static_cast<std::uint16_t>(length));
    EXPECT_EQ(parse(largest), ParseError::kAttributeOverrun) << length;
  }
}

TEST(StunView, C027_fingerprint_value) {
  for (const char* name : {"rfc5769-2.1", "rfc5769-2.2", "rfc5769-2.3", "o-03", "o-07", "o-09"}) {
    const Datagram datagram = load_vector(name);
    const auto view = MessageView::parse(datagram);
    ASSERT_TRUE(view) << name;
    EXPECT_TRUE(view->has_fingerprint()) << name;
    EXPECT_FALSE(view->has(Attribute::kFingerprint)) << "it has its own accessor";
  }
}

TEST(StunView, C028_fingerprint_mismatch_dropped) {
  const Datagram whole = load_vector("rfc5769-2.1");
  int hidden = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Datagram datagram = whole;
    datagram[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    // Only a flip that hides FINGERPRINT (its type, a length that jumps over it) may leave a message.
    const auto view = MessageView::parse(datagram);
    ASSERT_FALSE(view && view->has_fingerprint()) << "bit " << bit;
    hidden += view ? 1 : 0;
  }
  EXPECT_EQ(hidden, 18)
      << "16 bits of its type, one in the length of USERNAME and one in that of MESSAGE-INTEGRITY";
  Datagram wrong_size = load_vector("o-01");
  append_tlv(wrong_size, code(Attribute::kFingerprint), {1, 2, 3});
  EXPECT_EQ(parse(wrong_size), ParseError::kBadFingerprint);
  // The right CRC behind a length that does not cover it.
  for (std::uint8_t length = 1; length < 4; ++length) {
    Datagram shortened = load_vector("o-01");
    test::renew_fingerprint(shortened);
    ASSERT_EQ(parse(shortened), ParseError::kNone);
    shortened[shortened.size() - 5] = length;
    EXPECT_EQ(parse(shortened), ParseError::kBadFingerprint);
  }
  Datagram empty = load_vector("o-01");
  append_tlv(empty, code(Attribute::kFingerprint), {});
  EXPECT_EQ(parse(empty), ParseError::kBadFingerprint);
}

TEST(StunView, C029_fingerprint_must_be_last) {
  Datagram datagram = load_vector("o-03");
  append_tlv(datagram, code(Attribute::kSoftware), {'x'});
  EXPECT_EQ(parse(datagram), ParseError::kFingerprintNotLast);
  Datagram twice = load_vector("o-03");
  append_tlv(twice, code(Attribute::kFingerprint), {0, 0, 0, 0});
  EXPECT_EQ(parse(twice), ParseError::kFingerprintNotLast);
}

TEST(StunView, C030_fingerprint_not_required) {
  const Datagram datagram = load_vector("o-01");
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->has_fingerprint());
  EXPECT_FALSE(view->has_integrity());
}

TEST(StunView, a_view_can_be_filled_again) {
  const Datagram first = load_vector("o-07");
  const Datagram second = load_vector("o-01");
  MessageView view;
  ASSERT_EQ(MessageView::parse(first, view), ParseError::kNone);
  ASSERT_EQ(MessageView::parse(second, view), ParseError::kNone);
  EXPECT_FALSE(view.has_integrity());
  EXPECT_FALSE(view.has_fingerprint());
  EXPECT_FALSE(view.has(Attribute::kRequestedTransport));
}

}  // namespace
}  // namespace turnpike::stun
