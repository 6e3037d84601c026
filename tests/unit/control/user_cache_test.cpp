// SPDX-License-Identifier: BSD-3-Clause
// What is remembered, for how long, and what goes first.
#include "control/auth/user_cache.hpp"

#include <gtest/gtest.h>

namespace turnpike::control {
namespace {

using Kind = turn::UserAnswer::Kind;

UserCache::Entry entry(Kind kind, Time until = kNever) {
  UserCache::Entry made;
  made.kind = kind;
  made.until = until;
  return made;
}

TEST(UserCache, realms_and_names_do_not_mix) {
  UserCache cache(10, 10);
  cache.put("ab", "c", entry(Kind::kFound));
  EXPECT_NE(cache.find("ab", "c", Time{}), nullptr);
  EXPECT_EQ(cache.find("a", "bc", Time{}), nullptr);
  EXPECT_EQ(cache.find("ab", "", Time{}), nullptr);
}

TEST(UserCache, entries_end) {
  UserCache cache(10, 10);
  cache.put("r", "n", entry(Kind::kFound, seconds(5)));
  EXPECT_NE(cache.find("r", "n", seconds(4)), nullptr);
  EXPECT_EQ(cache.find("r", "n", seconds(5)), nullptr);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(UserCache, least_recently_used_goes_first) {
  UserCache cache(2, 2);
  cache.put("r", "a", entry(Kind::kFound));
  cache.put("r", "b", entry(Kind::kFound));
  EXPECT_NE(cache.find("r", "a", Time{}), nullptr);
  cache.put("r", "c", entry(Kind::kFound));
  EXPECT_EQ(cache.find("r", "b", Time{}), nullptr);
  EXPECT_NE(cache.find("r", "a", Time{}), nullptr);
}

TEST(UserCache, names_that_do_not_exist_push_nobody_out) {
  UserCache cache(2, 3);
  cache.put("r", "a", entry(Kind::kFound));
  for (int i = 0; i < 100; ++i) cache.put("r", "no" + std::to_string(i), entry(Kind::kUnknown));
  EXPECT_NE(cache.find("r", "a", Time{}), nullptr);
  EXPECT_EQ(cache.size(), 4u);
  cache.put("r", "no99", entry(Kind::kFound));  // from one list to the other
  EXPECT_EQ(cache.find("r", "no99", Time{})->kind, Kind::kFound);
  EXPECT_EQ(cache.size(), 4u);
}

}  // namespace
}  // namespace turnpike::control
