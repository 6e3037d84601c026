// SPDX-License-Identifier: BSD-3-Clause
// Streams cut in every way must give the same messages and the same end.
#include "common/stun/stream_framer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/stun_edit.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::Datagram;
using test::load_vector;

struct Outcome {
  std::vector<Datagram> messages;
  FrameStatus end = FrameStatus::kNeedMore;
};

// Feeds `stream` in chunks whose sizes `next_size` tells.
template <typename NextSize>
Outcome run(const Datagram& stream, NextSize&& next_size, std::size_t limit = StreamFramer::kLargestMessage) {
  StreamFramer framer(limit);
  Outcome outcome;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t size = std::min<std::size_t>(next_size(), stream.size() - at);
    const Datagram chunk(
        stream.begin() + static_cast<std::ptrdiff_t>(at),
        stream.begin() + static_cast<std::ptrdiff_t>(at + size));  // own memory: over-reads show
    at += size;
    Bytes input(chunk);
    Bytes message;
    while ((outcome.end = framer.next(input, message)) == FrameStatus::kMessage) {
      outcome.messages.emplace_back(message.begin(), message.end());
    }
    if (outcome.end != FrameStatus::kNeedMore) break;
    EXPECT_TRUE(input.empty());
  }
  return outcome;
}

Datagram concatenate(const std::vector<Datagram>& messages) {
  Datagram stream;
  for (const auto& message : messages) stream.insert(stream.end(), message.begin(), message.end());
  return stream;
}

const std::vector<Datagram>& sample_messages() {
  static const std::vector<Datagram> messages = {
      load_vector("o-01"), load_vector("o-23"), load_vector("o-24"), load_vector("o-07"),
      load_vector("o-24"), load_vector("o-17"), load_vector("o-23"), load_vector("o-09")};
  return messages;
}

TEST(StreamFramer, any_fixed_chunk_size_gives_the_same_messages) {
  const Datagram stream = concatenate(sample_messages());
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    const Outcome outcome = run(stream, [&] { return size; });
    EXPECT_EQ(outcome.end, FrameStatus::kNeedMore);
    ASSERT_EQ(outcome.messages, sample_messages()) << size;
  }
}

TEST(StreamFramer, random_chunks_give_the_same_messages) {
  std::mt19937 random(6);
  for (int round = 0; round < 300; ++round) {
    std::vector<Datagram> messages;
    for (int i = 0; i < 40; ++i) messages.push_back(sample_messages()[random() % sample_messages().size()]);
    const Outcome outcome = run(concatenate(messages), [&] { return 1 + random() % 97; });
    ASSERT_EQ(outcome.messages, messages);
  }
}

TEST(StreamFramer, whole_messages_are_not_copied) {
  const Datagram stream = concatenate(sample_messages());
  StreamFramer framer;
  Bytes input(stream);
  Bytes message;
  ASSERT_EQ(framer.next(input, message), FrameStatus::kMessage);
  EXPECT_EQ(message.data(), stream.data());
  EXPECT_EQ(framer.buffered(), 0U);
}

TEST(StreamFramer, errors_do_not_depend_on_the_chunks) {
  Datagram bad_cookie = load_vector("o-01");
  bad_cookie[7] ^= 1;
  Datagram bad_length = load_vector("o-01");
  bad_length[3] = 2;
  const struct {
    Datagram tail;
    FrameStatus expected;
  } rows[] = {{bad_cookie, FrameStatus::kBadCookie},
              {bad_length, FrameStatus::kBadLength},
              {{0x80, 0, 0, 0}, FrameStatus::kNotTurn},
              {{0xFF}, FrameStatus::kNotTurn},
              {{'P' + 0x80, 'O', 'S', 'T'}, FrameStatus::kNotTurn}};
  for (const auto& row : rows) {
    std::vector<Datagram> messages = sample_messages();
    messages.push_back(row.tail);
    const Datagram stream = concatenate(messages);
    for (std::size_t size = 1; size <= stream.size(); ++size) {
      const Outcome outcome = run(stream, [&] { return size; });
      ASSERT_EQ(outcome.end, row.expected) << size;
      ASSERT_EQ(outcome.messages, sample_messages()) << size;
    }
  }
}

TEST(StreamFramer, a_failure_stays) {
  StreamFramer framer;
  const Datagram bad = {0xFF};
  const Datagram good = load_vector("o-01");
  Bytes message;
  Bytes input(bad);
  EXPECT_EQ(framer.next(input, message), FrameStatus::kNotTurn);
  input = Bytes(good);
  EXPECT_EQ(framer.next(input, message), FrameStatus::kNotTurn);
}

// Both kinds at their largest; 16-bit arithmetic would get out of step here.
TEST(StreamFramer, X20_C026_largest_messages) {
  Datagram stun = load_vector("o-01");
  test::append_tlv(stun, 0x0013, Datagram(65528, 1));
  ASSERT_EQ(stun.size(), StreamFramer::kLargestMessage);
  Datagram channel_data(65540, 2);
  channel_data[0] = 0x40;
  channel_data[2] = channel_data[3] = 0xFF;
  const std::vector<Datagram> messages = {channel_data, stun, channel_data, load_vector("o-01")};
  for (const std::size_t size : {1UL, 3UL, 1460UL, 65536UL, 1UL << 20}) {
    const Outcome outcome = run(concatenate(messages), [&] { return size; });
    EXPECT_EQ(outcome.end, FrameStatus::kNeedMore);
    ASSERT_EQ(outcome.messages, messages) << size;
  }
}

TEST(StreamFramer, a_limit_bounds_the_buffer) {
  const Datagram message = load_vector("o-07");  // 124 bytes
  for (const std::size_t chunk : {1UL, 4UL, 7UL, 1000UL}) {
    EXPECT_EQ(run(
                  message, [&] { return chunk; }, message.size() - 1)
                  .end,
              FrameStatus::kTooLong);
    EXPECT_EQ(run(
                  message, [&] { return chunk; }, message.size())
                  .messages.size(),
              1U);
  }
}

TEST(StreamFramer, buffered_counts_the_unfinished_message) {
  const Datagram message = load_vector("o-07");
  StreamFramer framer;
  Bytes input = Bytes(message).first(30);
  Bytes out;
  EXPECT_EQ(framer.next(input, out), FrameStatus::kNeedMore);
  EXPECT_EQ(framer.buffered(), 30U);
  input = Bytes(message).subspan(30);
  EXPECT_EQ(framer.next(input, out), FrameStatus::kMessage);
  EXPECT_EQ(framer.buffered(), 0U);
  EXPECT_EQ(framer.next(input, out), FrameStatus::kNeedMore);
  EXPECT_EQ(framer.buffered(), 0U);
}

TEST(StreamFramer, compatibility_channels_keep_the_stream_in_step) {
  Datagram stream = {0x7F, 0xFF, 0, 1, 'x', 0, 0, 0};
  const Datagram after = load_vector("o-01");
  stream.insert(stream.end(), after.begin(), after.end());
  const Outcome outcome = run(stream, [] { return 5UL; });
  ASSERT_EQ(outcome.messages.size(), 2U);
  EXPECT_EQ(outcome.messages[0].size(), 8U);
  EXPECT_EQ(outcome.messages[1], after);
}

}  // namespace
}  // namespace turnpike::stun
