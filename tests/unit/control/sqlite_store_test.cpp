// SPDX-License-Identifier: BSD-3-Clause
// The embedded database: made once, kept private, read as coturn's tools write it.
#include "control/store/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "control/store/key_text.hpp"
#include "tests/support/test_crypto.hpp"

namespace turnpike::control {
namespace {

using Outcome = StoreOpening::Outcome;

class Sqlite : public ::testing::Test {
protected:
  Sqlite() {
    char name[] = "/tmp/turnpike-store-XXXXXX";
    folder = mkdtemp(name);
    path = folder / "users.db";
  }
  ~Sqlite() override { std::filesystem::remove_all(folder); }

  void run(const std::string& statements) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(database, statements.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << (error == nullptr ? "" : error);
    sqlite3_close(database);
  }

  std::filesystem::path folder;
  std::filesystem::path path;
};

TEST_F(Sqlite, made_on_first_use_for_us_alone) {
  SqliteStore store(path);
  const auto opening = store.open();
  EXPECT_EQ(opening.outcome, Outcome::kReady) << opening.text;
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  SqliteStore again(path);
  EXPECT_EQ(again.open().outcome, Outcome::kReady);
  EXPECT_FALSE(*store.find_key("r", "nobody"));
}

TEST_F(Sqlite, users_and_values) {
  SqliteStore store(path);
  ASSERT_EQ(store.open().outcome, Outcome::kReady);
  ASSERT_TRUE(store.put_user("r", "alice", "one"));
  ASSERT_TRUE(store.put_user("r", "alice", "two"));
  ASSERT_TRUE(store.put_user("s", "a'; drop table turnusers_lt; --", "three"));
  EXPECT_EQ(**store.find_key("r", "alice"), "two");
  EXPECT_FALSE(*store.find_key("s", "alice"));
  EXPECT_EQ(store.list_users("")->size(), 2u);
  EXPECT_EQ(*store.list_users("r"), (std::vector<RealmValue>{{"r", "alice"}}));
  EXPECT_TRUE(*store.delete_user("r", "alice"));
  EXPECT_FALSE(*store.delete_user("r", "alice"));
  ASSERT_TRUE(store.put_value(ValueTable::kSecrets, {"r", "x"}));
  ASSERT_TRUE(store.put_value(ValueTable::kSecrets, {"r", "x"}));
  EXPECT_EQ(store.list_values(ValueTable::kSecrets, "r")->size(), 1u);
  EXPECT_EQ(store.list_values(ValueTable::kAllowedPeers, "r")->size(), 0u);
  EXPECT_TRUE(*store.delete_value(ValueTable::kSecrets, {"r", "x"}));
}

TEST_F(Sqlite, snapshot) {
  SqliteStore store(path);
  ASSERT_EQ(store.open().outcome, Outcome::kReady);
  test::TestCrypto crypto;
  const std::string full = key_text(make_keys(crypto, "a", "r", "p"));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store.put_user("r", "user" + std::to_string(i), full));
  ASSERT_TRUE(store.put_user("s", "new", full));
  ASSERT_TRUE(store.put_user("s", "old", full.substr(0, 32)));
  run("insert into turn_secret values ('r','x'); insert into allowed_peer_ip values ('','10.0.0.0/8');"
      "insert into denied_peer_ip values ('r','1.1.1.1'); insert into turn_origin_to_realm values ('o','t');"
      "insert into turn_realm_option values ('t','user-quota','7')");
  int pieces = 0;
  const auto snapshot = store.read_snapshot([&] { ++pieces; });
  ASSERT_TRUE(snapshot) << snapshot.error();
  EXPECT_GE(pieces, 5);
  EXPECT_EQ(snapshot->secrets, (std::vector<RealmValue>{{"r", "x"}}));
  EXPECT_EQ(snapshot->allowed_peers, (std::vector<RealmValue>{{"", "10.0.0.0/8"}}));
  EXPECT_EQ(snapshot->denied_peers, (std::vector<RealmValue>{{"r", "1.1.1.1"}}));
  ASSERT_EQ(snapshot->origins.size(), 1u);
  EXPECT_EQ(snapshot->origins[0].realm, "t");
  ASSERT_EQ(snapshot->options.size(), 1u);
  EXPECT_EQ(snapshot->options[0].value, "7");
  EXPECT_EQ(snapshot->user_realms, (std::vector<std::string>{"r", "s"}));
  EXPECT_TRUE(snapshot->knows_keys);
  EXPECT_EQ(snapshot->md5_only_realms, (std::vector<std::string>{"s"}));
}

TEST_F(Sqlite, another_programs_database_is_refused_and_left_alone) {
  run("create table songs (title text)");
  SqliteStore store(path);
  const auto opening = store.open();
  EXPECT_EQ(opening.outcome, Outcome::kUnusable);
  EXPECT_NE(opening.text.find("turnusers_lt"), std::string::npos) << opening.text;
  EXPECT_NE(opening.text.find("turnpikectl schema"), std::string::npos) << opening.text;
}

TEST_F(Sqlite, older_schema_is_refused) {
  run(sql_schema());
  run("drop table allowed_peer_ip; create table allowed_peer_ip (ip_range varchar(256))");
  SqliteStore store(path);
  const auto opening = store.open();
  EXPECT_EQ(opening.outcome, Outcome::kUnusable);
  EXPECT_NE(opening.text.find("allowed_peer_ip (realm,ip_range)"), std::string::npos) << opening.text;
}

TEST_F(Sqlite, no_database_at_all) {
  std::ofstream(path)
      << "hello, I am a text file and longer than the header of a database, which has 100 bytes "
         "of its own at the front.";
  EXPECT_EQ(SqliteStore(path).open().outcome, Outcome::kUnusable);
  const auto missing = SqliteStore(folder / "none" / "users.db").open();
  EXPECT_EQ(missing.outcome, Outcome::kUnusable);
  EXPECT_NE(missing.text.find("choose a folder"), std::string::npos) << missing.text;
}

TEST_F(Sqlite, a_vanished_file_is_noticed_and_not_replaced) {
  SqliteStore store(path);
  ASSERT_EQ(store.open().outcome, Outcome::kReady);
  ASSERT_TRUE(store.put_user("r", "alice", "key"));
  std::filesystem::rename(path, folder / "away.db");
  EXPECT_FALSE(store.find_key("r", "alice"));
  EXPECT_EQ(store.open().outcome, Outcome::kUnreachable);
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::rename(folder / "away.db", path);
  EXPECT_EQ(store.open().outcome, Outcome::kReady);
  EXPECT_EQ(**store.find_key("r", "alice"), "key");
}

TEST(KeyText, both_forms) {
  test::TestCrypto crypto;
  const auto keys = make_keys(crypto, "alice", "r", "p");
  const std::string text = key_text(keys);
  ASSERT_EQ(text.size(), kFullKeyTextSize);
  EXPECT_EQ(parse_key_text(text)->md5, keys.md5);
  EXPECT_EQ(parse_key_text(text)->sha256, keys.sha256);
  EXPECT_EQ(parse_key_text(text + std::string(31, ' '))->sha256, keys.sha256) << "char(128) of PostgreSQL";
  EXPECT_FALSE(parse_key_text(text.substr(0, 32))->sha256);
  for (const std::string& bad : {std::string(), text.substr(0, 31), text.substr(0, 40), text + "0",
                                 "x" + text.substr(1), text.substr(0, 32) + ";" + text.substr(33)}) {
    EXPECT_FALSE(parse_key_text(bad)) << bad;
  }
}

}  // namespace
}  // namespace turnpike::control
