// SPDX-License-Identifier: BSD-3-Clause
// The same seed damages alike, and damage is of every kind.
#include "bench/load/flood_messages.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace turnpike::load {
namespace {

Options flood_of(const char* kind, std::uint64_t seed) {
  Options options;
  options.user = "alice";
  options.peer_ip = *wire::parse_address("10.0.2.2");
  options.sockets.flood = kind;
  options.sockets.seed = seed;
  return options;
}

std::vector<std::vector<std::uint8_t>> make(const Options& options, std::size_t count) {
  FloodMessages messages(options);
  std::vector<std::vector<std::uint8_t>> made;
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes message = messages.next();
    made.emplace_back(message.begin(), message.end());
  }
  return made;
}

TEST(FloodMessages, the_seed_says_what_they_are) {
  for (const char* kind : {"damaged", "garbage", "binding", "allocate"}) {
    const auto once = make(flood_of(kind, 1), 500);
    EXPECT_EQ(once, make(flood_of(kind, 1), 500)) << kind;
    EXPECT_NE(once, make(flood_of(kind, 2), 500)) << kind;
  }
}

TEST(FloodMessages, damaged_ones_are_sometimes_read_and_sometimes_not) {
  std::size_t whole = 0;
  const auto made = make(flood_of("damaged", 3), 5000);
  for (const auto& message : made) {
    ASSERT_FALSE(message.empty());
    ASSERT_LE(message.size(), FloodMessages::kMaxSize);
    if (stun::MessageView::parse(message)) ++whole;
  }
  EXPECT_GT(whole, made.size() / 10);
  EXPECT_LT(whole, made.size() * 9 / 10);
}

TEST(FloodMessages, requests_are_requests) {
  for (const auto& [kind, method] :
       {std::pair("binding", stun::Method::kBinding), {"allocate", stun::Method::kAllocate}}) {
    for (const auto& message : make(flood_of(kind, 4), 10)) {
      const auto view = stun::MessageView::parse(message);
      ASSERT_TRUE(view);
      EXPECT_EQ(view->type(), stun::encode_type(method, stun::MessageClass::kRequest));
    }
  }
}

}  // namespace
}  // namespace turnpike::load
