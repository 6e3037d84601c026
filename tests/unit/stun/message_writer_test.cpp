// SPDX-License-Identifier: BSD-3-Clause
// The bounded writer: what it encodes, and that nothing ever leaves it short or out of bounds.
#include "common/stun/message_writer.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "common/stun/message_view.hpp"
#include "tests/support/stun_edit.hpp"

namespace turnpike::stun {
namespace {

using test::Datagram;
using test::endpoint;

constexpr TransactionId kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// Runs `fill` on a message of its own and returns the bytes, attributes only.
Datagram attributes_of(const std::function<void(MessageWriter&)>& fill) {
  Datagram buffer(600, 0xAA);
  MessageWriter writer(buffer);
  writer.begin(Method::kBinding, MessageClass::kSuccess, kId);
  fill(writer);
  const Bytes message = writer.finish();
  EXPECT_GE(message.size(), kHeaderSize);
  return message.empty() ? Datagram() : Datagram(message.begin() + kHeaderSize, message.end());
}

TEST(StunWriter, header) {
  Datagram buffer(20);
  MessageWriter writer(buffer);
  EXPECT_TRUE(writer.finish().empty()) << "nothing before begin()";
  writer.begin(Method::kChannelBind, MessageClass::kError, kId);
  const Bytes message = writer.finish();
  EXPECT_EQ(Datagram(message.begin(), message.end()),
            (Datagram{0x01, 0x19, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
}

TEST(StunWriter, C016_attr_padding_sent_as_zero) {
  for (std::size_t size = 0; size <= 9; ++size) {
    const Datagram value(size, 0x11);
    EXPECT_EQ(attributes_of([&](MessageWriter& writer) { writer.add(Attribute::kSoftware, value); }),
              test::tlv(0x8022, value));
  }
}

TEST(StunWriter, typed_attributes) {
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_u32(Attribute::kLifetime, 600); }),
            (Datagram{0, 0x0D, 0, 4, 0, 0, 2, 0x58}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_channel_number(0x4001); }),
            (Datagram{0, 0x0C, 0, 4, 0x40, 1, 0, 0}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_requested_transport(kTransportUdp); }),
            (Datagram{0, 0x19, 0, 4, 17, 0, 0, 0}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) {
              w.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
            }),
            (Datagram{0x80, 0x00, 0, 4, 2, 0, 0, 0}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_even_port(true); }),
            (Datagram{0, 0x18, 0, 1, 0x80, 0, 0, 0}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_empty(Attribute::kDontFragment); }),
            (Datagram{0, 0x1A, 0, 0}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) {
              w.add_address(Attribute::kMappedAddress, endpoint("192.0.2.1:3478"));
            }),
            (Datagram{0, 1, 0, 8, 0, 1, 0x0D, 0x96, 192, 0, 2, 1}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) {
              w.add_address_error(Family::kIpv6, ErrorCode::kInsufficientCapacity);
            }),
            test::tlv(0x8001, {2,   0,   5,   8,   'I', 'n', 's', 'u', 'f', 'f', 'i', 'c', 'i',
                               'e', 'n', 't', ' ', 'C', 'a', 'p', 'a', 'c', 'i', 't', 'y'}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_error(ErrorCode::kAllocationQuotaReached, ""); }),
            (Datagram{0, 9, 0, 4, 0, 0, 4, 86}));
  EXPECT_EQ(attributes_of([](MessageWriter& w) { w.add_password_algorithm(PasswordAlgorithm::kMd5); }),
            (Datagram{0, 0x1D, 0, 4, 0, 1, 0, 0}));
}

TEST(StunWriter, a_peer_without_family_fails_the_message) {
  Datagram buffer(100);
  MessageWriter writer(buffer);
  writer.begin(Method::kBinding, MessageClass::kSuccess, kId);
  writer.add_xor_address(Attribute::kXorMappedAddress, Endpoint());
  EXPECT_TRUE(writer.failed());
  EXPECT_TRUE(writer.finish().empty());
  writer.begin(Method::kBinding, MessageClass::kSuccess, kId);
  EXPECT_EQ(writer.finish().size(), kHeaderSize) << "begin() starts afresh";
}

// At every buffer size the message is whole or absent, and no byte beyond the buffer changes.
TEST(StunWriter, overflow_at_every_size) {
  const auto write = [](MessageWriter& writer) {
    writer.begin(Method::kAllocate, MessageClass::kError, kId);
    writer.add_error(ErrorCode::kUnknownAttribute);
    const std::uint16_t unknown[] = {0x001A, 0x7FF1, 0x0023};
    writer.add_unknown_attributes(unknown);
    writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("[2001:db8::1]:1"));
    const PasswordAlgorithm algorithms[] = {PasswordAlgorithm::kSha256, PasswordAlgorithm::kMd5};
    writer.add_password_algorithms(algorithms);
    writer.add_icmp({3, 4, 1400});
    writer.add_text(Attribute::kSoftware, "x");
    writer.add_fingerprint();
    return writer.finish();
  };
  Datagram large(600);
  MessageWriter reference(large);
  const std::size_t whole = write(reference).size();
  ASSERT_GT(whole, 100U);
  for (std::size_t size = 0; size <= whole + 4; ++size) {
    Datagram guarded(size + 16, 0xC3);
    MessageWriter writer(MutableBytes(guarded).first(size));
    const Bytes message = write(writer);
    EXPECT_EQ(message.size(), size < whole ? 0 : whole) << size;
    for (std::size_t i = size; i < guarded.size(); ++i) ASSERT_EQ(guarded[i], 0xC3) << size;
    if (!message.empty()) {
      EXPECT_TRUE(MessageView::parse(message)) << size;
    }
  }
}

TEST(StunWriter, C026_a_message_never_exceeds_what_the_length_field_can_say) {
  Datagram buffer(200000);
  const Datagram value(100000);
  MessageWriter writer(buffer);
  for (const std::size_t size : {65529UL, 65532UL, 65533UL, 65535UL, 65536UL, 100000UL}) {
    writer.begin(Method::kSend, MessageClass::kIndication, kId);
    writer.add(Attribute::kData, Bytes(value).first(size));
    EXPECT_TRUE(writer.finish().empty()) << size;
  }
  writer.begin(Method::kSend, MessageClass::kIndication, kId);
  writer.add(Attribute::kData, Bytes(value).first(65528));
  EXPECT_EQ(writer.finish().size(), kMaxMessageSize);
  writer.add_empty(Attribute::kDontFragment);
  EXPECT_TRUE(writer.finish().empty());
}

TEST(StunWriter, C029_nothing_follows_the_fingerprint) {
  Datagram buffer(100);
  MessageWriter writer(buffer);
  writer.begin(Method::kBinding, MessageClass::kRequest, kId);
  writer.add_fingerprint();
  EXPECT_TRUE(MessageView::parse(writer.finish()));
  writer.add_text(Attribute::kSoftware, "x");
  EXPECT_TRUE(writer.finish().empty());
}

}  // namespace
}  // namespace turnpike::stun
