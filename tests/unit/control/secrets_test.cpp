// SPDX-License-Identifier: BSD-3-Clause
// Passwords in options: neither printed nor left in the arguments.
#include "common/config/secrets.hpp"

#include <gtest/gtest.h>

namespace turnpike::config {
namespace {

TEST(Secrets, masked_by_option) {
  EXPECT_EQ(without_secrets("user", "alice:a:b"), "alice:***");
  EXPECT_EQ(without_secrets("static-auth-secret", "logen"), "***");
  EXPECT_EQ(without_secrets("realm", "password=x"), "password=x");
  EXPECT_EQ(without_secrets("psql-userdb", "host=h dbname=d user=u password=pw connect_timeout=3"),
            "host=h dbname=d user=u password=*** connect_timeout=3");
  EXPECT_EQ(without_secrets("psql-userdb", "password = 'a b\\' c' host=h"), "password = *** host=h");
  EXPECT_EQ(without_secrets("psql-userdb", "postgresql://u:p@h/d?password=q&x=1"),
            "postgresql://u:***@h/d?password=***&x=1");
  EXPECT_EQ(without_secrets("redis-userdb", "ip=1 pwd=x secret=y passwd=z"),
            "ip=1 pwd=*** secret=*** passwd=***");
  EXPECT_EQ(without_secrets("redis-userdb", "ip=password port=1"), "ip=password port=1");
}

TEST(Secrets, arguments_are_overwritten) {
  std::vector<std::string> texts{"program", "--user", "alice:secret",  "--static-auth-secret=logen",
                                 "--realm", "a:b",    "--psql-userdb", "host=h password=pw",
                                 "--user"};
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  hide_secrets(static_cast<int>(arguments.size()), arguments.data());
  EXPECT_EQ(texts[2], "alice:******");
  EXPECT_EQ(texts[3], "--static-auth-secret=*****");
  EXPECT_EQ(texts[5], "a:b");
  EXPECT_EQ(texts[7], "host=h password=**");
}

}  // namespace
}  // namespace turnpike::config
