// SPDX-License-Identifier: BSD-3-Clause
// Buckets of sources: rate, burst, and a table that is full.
#include "common/wire/source_limiter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace turnpike::wire {
namespace {

using Limiter = SourceLimiter<std::vector<SourceBuckets::Set>>;
using Verdict = Limiter::Verdict;

constexpr std::uint64_t kSecond = 1'000'000'000;

Limiter limiter(const SourceRates& rates, std::size_t sets = 64) {
  return {rates, 7, std::vector<SourceBuckets::Set>(Limiter::sets(rates, sets))};
}
std::uint64_t key(std::string_view address) { return source_key(parse_address(address).value()); }

int passed(Limiter& limits, std::uint64_t source, std::uint64_t now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limits.admit(source, now) == Verdict::kPass ? 1 : 0;
  return count;
}

TEST(SourceLimiter, gives_two_seconds_worth_at_once_then_the_rate) {
  auto limits = limiter({10, 0});
  const std::uint64_t source = key("192.0.2.1");
  EXPECT_EQ(passed(limits, source, kSecond, 100), 20);
  EXPECT_EQ(passed(limits, source, kSecond + kSecond / 2, 100), 5);
  EXPECT_EQ(passed(limits, source, 100 * kSecond, 100), 20);
  EXPECT_EQ(passed(limits, key("192.0.2.2"), 100 * kSecond, 100), 20) << "another one has its own";
}

TEST(SourceLimiter, of_ipv6_a_64_is_one_source) {
  EXPECT_EQ(key("2001:db8::1"), key("2001:db8::ffff:1"));
  EXPECT_NE(key("2001:db8::1"), key("2001:db8:0:1::1"));
  EXPECT_NE(key("192.0.2.1"), key("192.0.2.2"));
}

TEST(SourceLimiter, everybody_together) {
  auto limits = limiter({0, 5});
  int count = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    count += limits.admit(source_key(IpAddress::v4(i)), kSecond) == Verdict::kPass ? 1 : 0;
  }
  EXPECT_EQ(count, 10);
  EXPECT_EQ(limits.admit(key("192.0.2.1"), kSecond), Verdict::kAllOver);
}

TEST(SourceLimiter, without_limits_everything_passes) {
  auto limits = limiter({0, 0});
  EXPECT_EQ(passed(limits, key("192.0.2.1"), kSecond, 10000), 10000);
}

TEST(SourceLimiter, a_full_table_forgets_the_silent_and_grows_no_larger) {
  auto limits = limiter({1, 0}, 1);  // room for four
  for (std::uint32_t i = 0; i < 4; ++i)
    EXPECT_EQ(passed(limits, source_key(IpAddress::v4(i + 1)), kSecond * (i + 1), 5), 2);
  EXPECT_EQ(passed(limits, source_key(IpAddress::v4(9)), 5 * kSecond, 5), 2) << "in the first one's place";
  EXPECT_EQ(passed(limits, source_key(IpAddress::v4(4)), 5 * kSecond, 5), 1)
      << "remembered: a second's worth";
}

}  // namespace
}  // namespace turnpike::wire
