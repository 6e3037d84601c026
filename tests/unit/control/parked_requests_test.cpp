// SPDX-License-Identifier: BSD-3-Clause
// Requests that wait for their user: in order, once, and not without bounds.
#include "control/auth/parked_requests.hpp"

#include <gtest/gtest.h>

namespace turnpike::control {
namespace {

ParkedRequest request(std::uint8_t tag, std::uint16_t port = 5000) {
  ParkedRequest made;
  made.from.client.address = wire::IpAddress::v4(0x0A000001);
  made.from.client.port = port;
  made.message = {tag};
  return made;
}

TEST(ParkedRequests, wait_for_their_own_user_in_order) {
  ParkedRequests parked;
  parked.park(1, request(10));
  parked.park(2, request(20));
  parked.park(1, request(11));
  EXPECT_EQ(parked.size(), 3u);
  const auto first = parked.take(1);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].message[0], 10);
  EXPECT_EQ(first[1].message[0], 11);
  EXPECT_TRUE(parked.take(1).empty());
  EXPECT_EQ(parked.size(), 1u);
}

TEST(ParkedRequests, repetitions_wait_once) {
  ParkedRequests parked;
  parked.park(1, request(10));
  parked.park(1, request(10));
  parked.park(1, request(10, 5001));  // another client's
  EXPECT_EQ(parked.size(), 2u);
  EXPECT_EQ(parked.counters().repeated, 1u);
}

TEST(ParkedRequests, bounded) {
  ParkedRequests parked(3, 2);
  for (std::uint8_t tag = 0; tag < 4; ++tag) parked.park(1, request(tag));
  EXPECT_EQ(parked.size(), 2u);
  EXPECT_EQ(parked.counters().dropped, 2u);
  parked.park(2, request(9));
  parked.park(3, request(9));
  EXPECT_EQ(parked.size(), 3u);
  EXPECT_EQ(parked.counters().dropped, 3u);
  parked.take(1);
  parked.park(3, request(9));
  EXPECT_EQ(parked.size(), 2u);
}

TEST(ParkedRequests, nobody_waits_for_a_refused_lookup) {
  ParkedRequests parked;
  parked.park(turn::kRefusedLookup, request(1));
  EXPECT_EQ(parked.size(), 0u);
  EXPECT_EQ(parked.counters().dropped, 1u);
}

}  // namespace
}  // namespace turnpike::control
