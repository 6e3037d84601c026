// SPDX-License-Identifier: BSD-3-Clause
// Lines about failures by source and in all, and none forgotten.
#include "control/log/failure_limiter.hpp"

#include <gtest/gtest.h>

namespace turnpike::control {
namespace {

wire::IpAddress address(const std::string& text) { return wire::parse_address(text).value(); }

// How many of `tries` get a line.
int lines(FailureLimiter& limiter, const std::string& source, int tries, Time now) {
  int permitted = 0;
  for (int i = 0; i < tries; ++i) permitted += limiter.permits(address(source), now) ? 1 : 0;
  return permitted;
}

constexpr Time kStart = seconds(1000);

TEST(FailureLimiter, a_source_has_five_and_then_one_a_second) {
  FailureLimiter limiter(1);
  EXPECT_EQ(lines(limiter, "192.0.2.1", 20, kStart), 5);
  EXPECT_EQ(lines(limiter, "192.0.2.1", 20, kStart + milliseconds(900)), 0);
  EXPECT_EQ(lines(limiter, "192.0.2.1", 20, kStart + milliseconds(1100)), 1);
  EXPECT_EQ(lines(limiter, "192.0.2.2", 20, kStart + milliseconds(1100)), 5) << "another one";
  EXPECT_EQ(limiter.take_suppressed(), 15u + 20 + 19 + 15);
  EXPECT_EQ(limiter.take_suppressed(), 0u);
}

TEST(FailureLimiter, a_network_of_ipv6_is_one_source) {
  FailureLimiter limiter(1);
  EXPECT_EQ(lines(limiter, "2001:db8::1", 5, kStart), 5);
  EXPECT_EQ(lines(limiter, "2001:db8::ffff:1", 5, kStart), 0);
  EXPECT_EQ(lines(limiter, "2001:db8:0:1::1", 5, kStart), 5);
}

TEST(FailureLimiter, many_sources_share_a_hundred) {
  FailureLimiter limiter(1);
  int permitted = 0;
  for (int i = 0; i < 250; ++i) permitted += lines(limiter, "10.0." + std::to_string(i) + ".1", 2, kStart);
  EXPECT_EQ(permitted, 100);
  EXPECT_EQ(limiter.take_suppressed(), 400u);
  EXPECT_EQ(lines(limiter, "192.0.2.77", 10, kStart + milliseconds(50)), 5);
}

}  // namespace
}  // namespace turnpike::control
