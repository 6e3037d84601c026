// SPDX-License-Identifier: BSD-3-Clause
// Names that a database is asked for, and those that it is spared.
#include "control/auth/user_name.hpp"

#include <gtest/gtest.h>

#include <string>

namespace turnpike::control {
namespace {

TEST(UserName, ordinary_and_foreign_names) {
  for (const char* name : {"alice", "a b", "1700000000:x", "Müller", "\u65e5\u672c", "\U0001F600",
                           "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF", "'; drop table turnusers_lt; --"}) {
    EXPECT_TRUE(is_user_name(name)) << name;
  }
  EXPECT_TRUE(is_user_name(std::string(508, 'x')));
}

TEST(UserName, what_no_database_takes) {
  EXPECT_FALSE(is_user_name(""));
  EXPECT_FALSE(is_user_name(std::string(509, 'x')));
  EXPECT_FALSE(is_user_name(std::string("alice\0x", 7)));
  for (const char* name :
       {"a\tb", "\x7F", "\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xE2\x28\xA1", "\xF0\x9F\x98"}) {
    EXPECT_FALSE(is_user_name(name)) << name;
  }
}

}  // namespace
}  // namespace turnpike::control
