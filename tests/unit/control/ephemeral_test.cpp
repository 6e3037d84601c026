// SPDX-License-Identifier: BSD-3-Clause
// Names and passwords of ephemeral credentials.
#include "control/auth/ephemeral.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_crypto.hpp"

namespace turnpike::control {
namespace {

struct Parsed {
  std::int64_t expires;
  std::string account;
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

std::optional<Parsed> parse(std::string_view name, char separator = ':') {
  const auto parsed = parse_ephemeral(name, separator);
  return parsed ? std::optional(Parsed{parsed->expires, std::string(parsed->account)}) : std::nullopt;
}

TEST(Ephemeral, C227_password_of_the_vector) {
  test::TestCrypto crypto;
  EXPECT_EQ(ephemeral_password(crypto, "north-secret", "1735689600:alice"), "/Hgk2wzS1yMKgEQRSzOmdlh6bg0=");
}

TEST(Ephemeral, names) {
  EXPECT_EQ(parse("1735689600:alice"), (Parsed{1735689600, "alice"}));
  EXPECT_EQ(parse("alice:1735689600"), (Parsed{1735689600, "alice"}));
  EXPECT_EQ(parse("1735689600"), (Parsed{1735689600, ""}));
  EXPECT_EQ(parse("1735689600:"), (Parsed{1735689600, ""}));
  EXPECT_EQ(parse("1:2"), (Parsed{1, "2"}));
  EXPECT_EQ(parse("17:alice:x"), (Parsed{17, "alice:x"}));
  EXPECT_EQ(parse("17#alice", '#'), (Parsed{17, "alice"}));
}

TEST(Ephemeral, C228_garbage_is_no_time) {
  for (const char* name :
       {"", ":", "alice", "alice:", ":17", "+17:alice", "-17:alice", " 17:alice", "17 :alice", "0x17:alice",
        "17.5:alice", "99999999999999999999:alice", "17#alice"}) {
    EXPECT_FALSE(parse(name)) << name;
  }
}

}  // namespace
}  // namespace turnpike::control
