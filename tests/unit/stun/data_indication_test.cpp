// SPDX-License-Identifier: BSD-3-Clause
// The packet path's Data and Send indications against the general reader and the vectors.
#include "common/stun/data_indication.hpp"

#include <gtest/gtest.h>

#include "tests/support/stun_edit.hpp"
#include "tests/support/test_crypto.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::append_tlv;
using test::code;
using test::Datagram;
using test::endpoint;
using test::load_vector;

constexpr TransactionId kVectorId = {0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb};

Datagram data_indication(const Endpoint& peer, Bytes data) {
  Datagram message(kDataIndicationPrefixV6);
  message.resize(write_data_indication_prefix(message, kVectorId, peer, data.size()));
  message.insert(message.end(), data.begin(), data.end());
  message.resize(message.size() + data_indication_padding(data.size()));
  return message;
}

SendError parse(const Datagram& datagram, SendIndication& send) {
  const auto view = MessageView::parse(datagram);
  EXPECT_TRUE(view);
  return view ? parse_send_indication(*view, send) : SendError::kNotSend;
}

TEST(DataIndication, O19_O20_vectors) {
  EXPECT_EQ(data_indication(endpoint("192.0.2.150:32102"), as_bytes("hello")), load_vector("o-19"));
  EXPECT_EQ(data_indication(endpoint("[2001:db8::150]:32102"), as_bytes("hello")), load_vector("o-20"));
}

TEST(DataIndication, every_data_size_is_a_message_for_the_reader) {
  for (const char* peer : {"192.0.2.1:1", "[2001:db8::1]:65535"}) {
    for (std::size_t size = 0; size < 70; ++size) {
      const Datagram data(size, 0x5A);
      const Datagram message = data_indication(endpoint(peer), data);
      const auto view = MessageView::parse(message);
      ASSERT_TRUE(view) << size;
      EXPECT_EQ(view->type(), 0x0017);
      EXPECT_EQ(decode_xor_address(*view->find(Attribute::kXorPeerAddress), view->transaction_id()),
                endpoint(peer));
      EXPECT_EQ(view->find(Attribute::kData)->size(), size);
    }
  }
}

TEST(DataIndication, C026_refuses_what_it_cannot_say) {
  Datagram room(kDataIndicationPrefixV6);
  const Endpoint v4 = endpoint("192.0.2.1:1");
  const Endpoint v6 = endpoint("[::1]:1");
  EXPECT_EQ(write_data_indication_prefix(room, kVectorId, v4, 65516), 36U);
  EXPECT_EQ(write_data_indication_prefix(room, kVectorId, v4, 65517), 0U);
  EXPECT_EQ(write_data_indication_prefix(room, kVectorId, v6, 65504), 48U);
  EXPECT_EQ(write_data_indication_prefix(room, kVectorId, v6, 65505), 0U);
  EXPECT_EQ(write_data_indication_prefix(room, kVectorId, v4, SIZE_MAX), 0U);
  EXPECT_EQ(write_data_indication_prefix(room, kVectorId, Endpoint(), 10), 0U);
  EXPECT_EQ(write_data_indication_prefix(MutableBytes(room).first(35), kVectorId, v4, 10), 0U);
  EXPECT_EQ(write_data_indication_prefix(MutableBytes(room).first(47), kVectorId, v6, 10), 0U);
}

TEST(SendIndication, O17_O18_vectors) {
  for (const char* name : {"o-17", "o-18"}) {
    const Datagram datagram = load_vector(name);
    SendIndication send;
    ASSERT_EQ(parse(datagram, send), SendError::kNone) << name;
    EXPECT_EQ(send.peer, endpoint("192.0.2.150:32102"));
    EXPECT_EQ(Datagram(send.data.begin(), send.data.end()), (Datagram{'h', 'e', 'l', 'l', 'o'}));
    EXPECT_EQ(datagram.data() + send.data_offset, send.data.data());
    EXPECT_EQ(send.dont_fragment, std::string_view(name) == "o-18");
  }
}

TEST(SendIndication, X09_incomplete_ones_are_dropped) {
  SendIndication send;
  Datagram bare = load_vector("o-17");
  bare.resize(kHeaderSize);
  test::fit_length(bare);
  Datagram no_peer = bare;
  append_tlv(no_peer, code(Attribute::kData), {1, 2, 3});
  EXPECT_EQ(parse(no_peer, send), SendError::kNoPeer);
  Datagram no_data = load_vector("o-17");
  no_data.resize(kHeaderSize + 12);
  test::fit_length(no_data);
  EXPECT_EQ(parse(no_data, send), SendError::kNoData);
  for (const std::size_t size : {0, 4, 7, 9, 20}) {
    Datagram bad_peer = bare;
    Datagram value(size);
    if (size > 1) value[1] = 1;
    append_tlv(bad_peer, code(Attribute::kXorPeerAddress), value);
    append_tlv(bad_peer, code(Attribute::kData), {1});
    EXPECT_EQ(parse(bad_peer, send), SendError::kBadPeer) << size;
  }
}

TEST(SendIndication, C020_unknown_required_indication_dropped) {
  SendIndication send;
  Datagram datagram = load_vector("o-17");
  append_tlv(datagram, 0x7FF1, {});
  EXPECT_EQ(parse(datagram, send), SendError::kUnknownAttribute);
  datagram = load_vector("o-17");
  append_tlv(datagram, 0xFFF1, {});
  EXPECT_EQ(parse(datagram, send), SendError::kNone);
}

TEST(SendIndication, first_peer_and_first_data_count_and_data_may_be_empty) {
  Datagram datagram = load_vector("o-17");
  datagram.resize(kHeaderSize + 12);
  append_tlv(datagram, code(Attribute::kData), {});
  append_tlv(datagram, code(Attribute::kData), {9});
  append_tlv(datagram, code(Attribute::kXorPeerAddress), Datagram(3));
  SendIndication send;
  ASSERT_EQ(parse(datagram, send), SendError::kNone);
  EXPECT_TRUE(send.data.empty());
  EXPECT_EQ(send.data_offset, kHeaderSize + 16);
  EXPECT_EQ(send.peer, endpoint("192.0.2.150:32102"));
}

// The quick reader may refuse anything, but what it takes the general one must take the same way.
void expect_agreement(const Datagram& datagram) {
  SendIndication plain;
  if (!parse_plain_send_indication(datagram, plain)) return;
  const auto view = MessageView::parse(datagram);
  ASSERT_TRUE(view);
  SendIndication general;
  ASSERT_EQ(parse_send_indication(*view, general), SendError::kNone);
  EXPECT_EQ(plain.peer, general.peer);
  EXPECT_EQ(plain.data.data(), general.data.data());
  EXPECT_EQ(plain.data.size(), general.data.size());
  EXPECT_EQ(plain.data_offset, general.data_offset);
  EXPECT_EQ(plain.dont_fragment, general.dont_fragment);
}

// Send indications in the usual layout, of both families and with every padding.
std::vector<Datagram> plain_sends() {
  std::vector<Datagram> messages = {load_vector("o-17")};
  for (const char* peer : {"192.0.2.1:1", "[2001:db8::1]:65535"}) {
    for (std::size_t size = 0; size < 5; ++size) {
      messages.push_back(data_indication(endpoint(peer), Datagram(size, 0x5A)));
      messages.back()[1] = 0x16;
    }
  }
  return messages;
}

TEST(SendIndication, the_usual_layout_is_read_without_a_walk) {
  SendIndication send;
  for (const Datagram& message : plain_sends()) {
    EXPECT_TRUE(parse_plain_send_indication(message, send));
    expect_agreement(message);
  }
  for (const char* name : {"o-18", "o-19", "o-01", "o-13", "o-21"}) {
    EXPECT_FALSE(parse_plain_send_indication(load_vector(name), send)) << name;
  }
}

TEST(SendIndication, the_quick_reader_never_takes_more_than_the_general_one) {
  for (const Datagram& message : plain_sends()) {
    for (std::size_t size = 0; size <= message.size() + 8; ++size) {
      Datagram other = message;
      other.resize(size);
      expect_agreement(other);
      if (size < kHeaderSize) continue;
      test::fit_length(other);
      expect_agreement(other);
    }
    for (std::size_t byte = 0; byte < message.size(); ++byte) {
      for (int value = 0; value < 256; ++value) {
        Datagram other = message;
        other[byte] = static_cast<std::uint8_t>(value);
        expect_agreement(other);
      }
    }
  }
}

TEST(SendIndication, other_types_are_not_send) {
  SendIndication send;
  for (const char* name : {"o-19", "o-01", "o-13"})
    EXPECT_EQ(parse(load_vector(name), send), SendError::kNotSend);
}

}  // namespace
}  // namespace turnpike::stun
