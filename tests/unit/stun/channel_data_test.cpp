// SPDX-License-Identifier: BSD-3-Clause
// ChannelData on datagrams and streams.
#include "common/stun/channel_data.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_crypto.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::load_vector;
using Buffer = std::vector<std::uint8_t>;

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

TEST(ChannelData, O22_O23_O24_vectors) {
  for (const char* name : {"o-22", "o-23"}) {
    const auto message = load_vector(name);
    const auto view = parse_channel_data(message);
    ASSERT_TRUE(view) << name;
    EXPECT_EQ(view->channel, 0x4000);
    EXPECT_EQ(text(view->data), "hello");
  }
  const auto empty = load_vector("o-24");
  const auto view = parse_channel_data(empty);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->channel, 0x4001);
  EXPECT_TRUE(view->data.empty());

  Buffer buffer(100, 0xAA);
  const Bytes plain = write_channel_data(buffer, 0x4000, as_bytes("hello"), ChannelPadding::kNone);
  EXPECT_EQ(Buffer(plain.begin(), plain.end()), load_vector("o-22"));
  buffer.assign(100, 0xAA);
  const Bytes padded = write_channel_data(buffer, 0x4000, as_bytes("hello"), ChannelPadding::kStream);
  EXPECT_EQ(Buffer(padded.begin(), padded.end()), load_vector("o-23"));
  const Bytes nothing = write_channel_data(buffer, 0x4001, Bytes(), ChannelPadding::kStream);
  EXPECT_EQ(Buffer(nothing.begin(), nothing.end()), load_vector("o-24"));
}

TEST(ChannelData, X10_length_beyond_the_datagram_is_dropped) {
  const auto whole = load_vector("o-22");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_channel_data(Bytes(whole).first(size))) << size;
  }
  auto longer = whole;
  longer[3] = 6;
  EXPECT_FALSE(parse_channel_data(longer));
}

TEST(ChannelData, X11_surplus_bytes_are_ignored) {
  auto message = load_vector("o-22");
  message.insert(message.end(), {0xDE, 0xAD, 0xBE});
  const auto view = parse_channel_data(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(text(view->data), "hello");
}

TEST(ChannelData, X20_C026_lengths_near_the_limit) {
  Buffer message(4 + 65535, 0x42);
  message[2] = message[3] = 0xFF;
  const auto view = parse_channel_data(message);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->data.size(), 65535U);
  EXPECT_FALSE(parse_channel_data(Bytes(message).first(4 + 65534)));

  Buffer out(70000);
  const Buffer data(65536);
  EXPECT_EQ(write_channel_data(out, 0x4000, Bytes(data).first(65535), ChannelPadding::kStream).size(),
            65540U);
  EXPECT_EQ(write_channel_data(out, 0x4000, Bytes(data).first(65535), ChannelPadding::kNone).size(), 65539U);
  EXPECT_TRUE(write_channel_data(out, 0x4000, data, ChannelPadding::kNone).empty());
}

TEST(ChannelData, writer_stays_inside_its_buffer) {
  for (std::size_t size = 0; size < 12; ++size) {
    Buffer guarded(20, 0xC3);
    const MutableBytes room = MutableBytes(guarded).first(size);
    EXPECT_EQ(write_channel_data(room, 0x4000, as_bytes("hello"), ChannelPadding::kStream).size(), 0U);
    EXPECT_EQ(write_channel_data(room, 0x4000, as_bytes("hello"), ChannelPadding::kNone).size(),
              size < 9 ? 0U : 9U);
    for (std::size_t i = size; i < guarded.size(); ++i) EXPECT_EQ(guarded[i], 0xC3);
  }
}

TEST(ChannelData, channel_ranges) {
  for (unsigned number = 0; number <= 0xFFFF; ++number) {
    const auto channel = static_cast<std::uint16_t>(number);
    ASSERT_EQ(is_channel_number(channel, false), number >= 0x4000 && number <= 0x4FFF) << number;
    ASSERT_EQ(is_channel_number(channel, true), number >= 0x4000 && number <= 0x7FFF) << number;
  }
}

}  // namespace
}  // namespace turnpike::stun
