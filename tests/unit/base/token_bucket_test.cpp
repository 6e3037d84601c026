// SPDX-License-Identifier: BSD-3-Clause
// The byte rate limiter: burst, refill, debt, silence, and rates at both ends of 64 bits.
#include "common/base/token_bucket.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace turnpike::test {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 1000 * kSecond;
constexpr std::uint32_t kSmallestBurst = 16384;

class Limited {
public:
  explicit Limited(std::uint64_t bytes_per_second) : rate(bytes_per_second), bucket(rate) {}
  bool take(std::uint32_t bytes) { return bucket.take(rate, bytes, now); }
  // How much passes in one moment, in pieces of `piece`; no more than `most`.
  std::uint64_t drain(std::uint32_t piece, std::uint64_t most) {
    std::uint64_t passed = 0;
    while (passed < most && take(piece)) passed += piece;
    return passed;
  }
  // Bytes that pass when `piece` is offered every `gap` ns for `seconds`.
  std::uint64_t offer(std::uint32_t piece, std::uint64_t gap, std::uint64_t seconds) {
    std::uint64_t passed = 0;
    for (const std::uint64_t end = now + seconds * kSecond; now < end; now += gap)
      passed += take(piece) ? piece : 0;
    return passed;
  }

  ByteRate rate;
  TokenBucket bucket;
  std::uint64_t now = kStart;
};

TEST(TokenBucket, begins_with_an_eighth_of_a_second) {
  Limited session(1'000'000);
  EXPECT_EQ(session.drain(1000, 1'000'000), 125'000u);
  EXPECT_FALSE(session.take(1));
}

TEST(TokenBucket, begins_with_eleven_datagrams_at_least) {
  Limited session(1000);
  EXPECT_EQ(session.drain(1, 1'000'000), kSmallestBurst);
}

TEST(TokenBucket, refills_exactly) {
  Limited session(1'000'000);
  session.drain(1000, 1'000'000);
  session.now += 1'000'000;  // a millisecond
  EXPECT_FALSE(session.take(1001));
  EXPECT_TRUE(session.take(1000));
  EXPECT_FALSE(session.take(1));
  session.now += 999;
  EXPECT_FALSE(session.take(1));
  session.now += 1;
  EXPECT_TRUE(session.take(1)) << "what a refused datagram found is not lost";
}

TEST(TokenBucket, in_the_long_run_the_rate) {
  for (const std::uint64_t rate : {9'999u, 64'000u, 123'457u, 10'000'000u}) {
    Limited session(rate);
    const std::uint64_t gap = kSecond * 1200 / (3 * rate);  // three times the rate
    const std::uint64_t burst = std::max<std::uint64_t>(rate / 8, kSmallestBurst);
    const std::uint64_t passed = session.offer(1200, gap, 20);
    EXPECT_LE(passed, 20 * rate + burst) << rate;
    EXPECT_GE(passed + 2 * 1200, 20 * rate + burst) << rate << ": but for the last offer and what is left";
  }
}

TEST(TokenBucket, what_is_within_the_rate_passes_whole) {
  Limited session(100'000);
  EXPECT_EQ(session.offer(1000, 10'000'000, 30), 3'000'000u);
}

TEST(TokenBucket, silence_saves_no_more_than_the_burst) {
  Limited session(1'000'000);
  session.drain(1000, 1'000'000);
  for (const std::uint64_t silence :
       {kSecond, 86'400 * kSecond, std::uint64_t{1} << 62, ~std::uint64_t{0} / 2}) {
    session.now += silence;
    EXPECT_EQ(session.drain(1000, 1'000'000), 125'000u) << silence;
  }
}

TEST(TokenBucket, a_clock_set_back_is_one_burst) {
  Limited session(1'000'000);
  session.drain(1000, 1'000'000);
  session.now -= 10 * kSecond;
  EXPECT_EQ(session.drain(1000, 1'000'000), 125'000u);
  session.now += 1'000'000;
  EXPECT_EQ(session.drain(1000, 1'000'000), 1000u);
}

TEST(TokenBucket, larger_than_the_burst_is_a_debt) {
  Limited session(1000);
  EXPECT_TRUE(session.take(65'535)) << "else it never could";
  EXPECT_FALSE(session.take(1));
  session.now += 49 * kSecond;  // 65535 - 16384 bytes are owed
  EXPECT_FALSE(session.take(1));
  session.now += kSecond;
  EXPECT_TRUE(session.take(1));
  EXPECT_FALSE(session.take(65'535)) << "only from a full bucket";
  session.now += 17 * kSecond;
  EXPECT_TRUE(session.take(65'535));
  Limited other(1000);
  EXPECT_LE(other.offer(60'000, kSecond / 100, 600), 600'000u + 65'535);
}

TEST(TokenBucket, one_byte_a_second) {
  Limited session(1);
  EXPECT_EQ(session.drain(1, 1'000'000), kSmallestBurst);
  session.now += kSecond - 1;
  EXPECT_FALSE(session.take(1));
  session.now += 1;
  EXPECT_TRUE(session.take(1));
  EXPECT_FALSE(session.take(1));
  session.now += std::uint64_t{kSmallestBurst} * kSecond;
  EXPECT_EQ(session.drain(1, 1'000'000), kSmallestBurst);
}

TEST(TokenBucket, rates_beyond_any_link) {
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;
  for (const std::uint64_t rate :
       {std::uint64_t{1} << 33, std::uint64_t{100'000'000'000}, std::uint64_t{1} << 62,
        std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
    Limited session(rate);
    const std::uint64_t burst = session.drain(65'535, 2 * kGibibyte);
    EXPECT_LE(burst, kGibibyte) << rate;
    EXPECT_GT(burst, kGibibyte - 65'535) << rate;
    session.now += 1 + 70'000 * kSecond / std::max(rate, kSecond);
    EXPECT_TRUE(session.take(65'535)) << rate;
    session.now += kSecond;
    EXPECT_EQ(session.drain(65'535, 2 * kGibibyte), burst) << rate;
  }
}

TEST(TokenBucket, another_rate_from_here_on) {
  Limited session(1'000'000);
  session.drain(1000, 25'000);  // 100 000 are left
  session.rate = ByteRate(160'000);
  session.bucket.change(session.rate);
  EXPECT_EQ(session.drain(1000, 1'000'000), 20'000u) << "no more than the new burst";
  session.rate = ByteRate(1'000'000);
  session.bucket.change(session.rate);
  EXPECT_FALSE(session.take(1)) << "no burst for free";
  session.now += kSecond;
  EXPECT_EQ(session.drain(1000, 1'000'000), 125'000u);
}

}  // namespace
}  // namespace turnpike::test
