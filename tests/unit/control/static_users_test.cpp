// SPDX-License-Identifier: BSD-3-Clause
// --user lines.
#include "control/auth/static_users.hpp"

#include <gtest/gtest.h>

#include "tests/support/test_crypto.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::control {
namespace {

Result<StaticUsers> parse_users(const std::vector<std::string>& lines) {
  test::TestCrypto crypto;
  return StaticUsers::parse(lines, std::string(test::kVectorRealm), crypto);
}

std::vector<std::uint8_t> hex(std::string_view text) { return test::from_hex(text); }

TEST(StaticUsers, password_becomes_both_keys) {
  const auto users = parse_users({"alice:wonderland"});
  ASSERT_TRUE(users) << users.error();
  const turn::UserKeys* keys = users->find("alice");
  ASSERT_NE(keys, nullptr);
  EXPECT_EQ(keys->name, "alice");
  EXPECT_EQ(std::vector(keys->md5.begin(), keys->md5.end()), hex(test::kVectorMd5Key));
  ASSERT_TRUE(keys->sha256);
  EXPECT_EQ(std::vector(keys->sha256->begin(), keys->sha256->end()), hex(test::kVectorSha256Key));
  EXPECT_TRUE(users->all_have_sha256());
  EXPECT_EQ(users->find("Alice"), nullptr);
  EXPECT_EQ(users->find(""), nullptr);
}

TEST(StaticUsers, found_by_userhash_also_after_a_move) {
  auto parsed = parse_users({"bob:x", "alice:wonderland"});
  ASSERT_TRUE(parsed);
  const StaticUsers users = std::move(*parsed);
  Sha256Digest hash;
  const auto bytes = hex(test::kVectorUserhash);
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  EXPECT_EQ(users.find_by_hash(hash), users.find("alice"));
  hash[0] ^= 1;
  EXPECT_EQ(users.find_by_hash(hash), nullptr);
}

TEST(StaticUsers, key_instead_of_password) {
  const auto users = parse_users({"alice:0x" + std::string(test::kVectorMd5Key), "bob:x"});
  ASSERT_TRUE(users) << users.error();
  const turn::UserKeys* keys = users->find("alice");
  ASSERT_NE(keys, nullptr);
  EXPECT_EQ(std::vector(keys->md5.begin(), keys->md5.end()), hex(test::kVectorMd5Key));
  EXPECT_FALSE(keys->sha256);
  EXPECT_FALSE(users->all_have_sha256()) << "SHA-256 must not be offered when one user has no such key";
}

TEST(StaticUsers, passwords_may_contain_colons) {
  test::TestCrypto crypto;
  const auto users = parse_users({"alice:a:b"});
  ASSERT_TRUE(users);
  EXPECT_EQ(users->find("alice")->md5, crypto.md5(as_bytes("alice:example.org:a:b")));
}

TEST(StaticUsers, bad_lines_are_refused_without_showing_secrets) {
  const struct {
    std::vector<std::string> lines;
    const char* part;
  } cases[] = {
      {{"alice"}, "number 1"},
      {{"bob:x", ":secret"}, "number 2"},
      {{"alice:"}, "empty password"},
      {{"alice:0xsecret"}, "32 hex digits"},
      {{"alice:0x72f86f2053703faa0f521ce71cfe6f5"}, "32 hex digits"},
      {{"alice:0x72f86f2053703faa0f521ce71cfe6f5g"}, "32 hex digits"},
      {{"alice:secret", "alice:secret"}, "given twice"},
      {{"al\tice:secret"}, "control characters"},
      {{std::string(509, 'a').append(":secret")}, "longer than 508"},
  };
  for (const auto& [lines, part] : cases) {
    const auto users = parse_users(lines);
    ASSERT_FALSE(users) << lines.front();
    EXPECT_NE(users.error().find(part), std::string::npos) << users.error();
    EXPECT_EQ(users.error().find("secret"), std::string::npos) << users.error();
  }
}

}  // namespace
}  // namespace turnpike::control
