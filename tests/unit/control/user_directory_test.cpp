// SPDX-License-Identifier: BSD-3-Clause
// Users of options, secrets and a database as the server sees them: nothing blocks, everything ends.
#include "control/auth/user_directory.hpp"

#include <gtest/gtest.h>

#include <condition_variable>

#include "control/store/key_text.hpp"
#include "tests/support/test_crypto.hpp"
#include "tests/unit/control/fake_store.hpp"

namespace turnpike::control {
namespace {

using Kind = turn::UserAnswer::Kind;

constexpr const char* kRealm = "example.org";
constexpr std::int64_t kWall = 1'700'000'000;

class Directory : public ::testing::Test {
protected:
  Directory() {
    settings.realm = kRealm;
    settings.store_has_users = true;
  }
  ~Directory() override { directory.reset(); }

  void add(const std::string& name, const std::string& password, const std::string& realm = kRealm) {
    const std::lock_guard lock(database->mutex);
    database->keys[{realm, name}] = key_text(make_keys(crypto, name, realm, password));
  }
  UserDirectory& start(bool with_store = true) {
    users = *StaticUsers::parse(lines, kRealm, crypto);
    directory.emplace(settings, users, crypto, with_store ? std::make_unique<FakeStore>(database) : nullptr,
                      [this] { return wall; });
    opened = directory->open();
    directory->start([this] {
      const std::lock_guard lock(mutex);
      ++wakes;
      woken.notify_all();
    });
    return *directory;
  }
  // Waits until the thread has brought something; gives all that has ended.
  std::vector<turn::LookupId> news(bool* policies = nullptr) {
    {
      std::unique_lock lock(mutex);
      EXPECT_TRUE(woken.wait_for(lock, std::chrono::seconds(10), [this] { return wakes != 0; }));
      wakes = 0;
    }
    auto news = directory->take_news(now);
    if (policies != nullptr) *policies = news.policies_changed;
    return news.ended;
  }
  turn::UserAnswer find(const std::string& name, const std::string& realm = kRealm) {
    return directory->find(realm, name, now);
  }
  // Asks, waits for the database, asks again.
  turn::UserAnswer settle(const std::string& name, const std::string& realm = kRealm) {
    const auto first = find(name, realm);
    if (first.kind != Kind::kPending) return first;
    for (auto ended = news(); std::find(ended.begin(), ended.end(), first.lookup) == ended.end();)
      ended = news();
    return find(name, realm);
  }

  test::TestCrypto crypto;
  DirectorySettings settings;
  std::vector<std::string> lines{"static:pw"};
  StaticUsers users;
  std::shared_ptr<FakeDatabase> database = std::make_shared<FakeDatabase>();
  std::chrono::nanoseconds wall = seconds(kWall);
  Time now = seconds(1000);
  Status opened = Unit{};
  std::mutex mutex;
  std::condition_variable woken;
  int wakes = 0;
  std::optional<UserDirectory> directory;
};

TEST_F(Directory, options_are_found_at_once) {
  start(false);
  EXPECT_EQ(find("static").kind, Kind::kFound);
  EXPECT_EQ(find("static", "other.net").kind, Kind::kUnknown);
  EXPECT_EQ(find("nobody").kind, Kind::kUnknown);
  EXPECT_NE(directory->realm(kRealm), nullptr);
  EXPECT_EQ(directory->realm("other.net"), nullptr);
  EXPECT_TRUE(directory->realm(kRealm)->offers_sha256);
  EXPECT_TRUE(directory->realm(kRealm)->finds_userhash);
}

TEST_F(Directory, stored_user_waits_once_and_is_remembered) {
  add("alice", "secret");
  start();
  ASSERT_TRUE(opened) << opened.error();
  const auto first = find("alice");
  EXPECT_EQ(first.kind, Kind::kPending);
  EXPECT_EQ(find("alice").lookup, first.lookup) << "one look-up for all that ask meanwhile";
  EXPECT_EQ(news(), std::vector<turn::LookupId>{first.lookup});
  const auto answer = find("alice");
  ASSERT_EQ(answer.kind, Kind::kFound);
  const auto expected = make_keys(crypto, "alice", kRealm, "secret");
  EXPECT_EQ(answer.keys.front().name, "alice");
  EXPECT_EQ(answer.keys.front().md5, expected.md5);
  EXPECT_EQ(answer.keys.front().sha256, expected.sha256);
  EXPECT_EQ(database->lookups, 1);
  EXPECT_EQ(directory->counters().hits, 1u);
}

TEST_F(Directory, lifetime_is_the_stated_one) {
  settings.cache_lifetime = seconds(20);
  add("alice", "secret");
  start();
  ASSERT_EQ(settle("alice").kind, Kind::kFound);
  ASSERT_EQ(settle("bob").kind, Kind::kUnknown);
  {
    const std::lock_guard lock(database->mutex);
    database->keys.clear();
  }
  add("bob", "new");
  now += seconds(4);
  EXPECT_EQ(find("bob").kind, Kind::kUnknown);
  now += seconds(1);
  EXPECT_EQ(settle("bob").kind, Kind::kFound) << "who was unknown is asked for again sooner";
  now += milliseconds(14999);
  EXPECT_EQ(find("alice").kind, Kind::kFound);
  now += milliseconds(1);
  EXPECT_EQ(settle("alice").kind, Kind::kUnknown) << "deleted";
}

TEST_F(Directory, md5_key_of_another_program) {
  const auto keys = make_keys(crypto, "old", kRealm, "pw");
  database->keys[{kRealm, "old"}] = key_text(keys).substr(0, 32);
  database->keys[{kRealm, "broken"}] = "not a key";
  start();
  const auto answer = settle("old");
  ASSERT_EQ(answer.kind, Kind::kFound);
  EXPECT_EQ(answer.keys.front().md5, keys.md5);
  EXPECT_FALSE(answer.keys.front().sha256);
  EXPECT_EQ(settle("broken").kind, Kind::kUnknown);
  EXPECT_EQ(directory->counters().malformed, 1u);
}

TEST_F(Directory, sha256_is_offered_only_when_all_users_have_it) {
  start();
  EXPECT_FALSE(directory->realm(kRealm)->offers_sha256) << "the database cannot tell";
  EXPECT_FALSE(directory->realm(kRealm)->finds_userhash);
  database->snapshot.knows_keys = true;
  database->snapshot.user_realms = {kRealm, "other.net"};
  database->snapshot.md5_only_realms = {"other.net"};
  start();
  EXPECT_TRUE(directory->realm(kRealm)->offers_sha256);
  EXPECT_FALSE(directory->realm("other.net")->offers_sha256);
}

TEST_F(Directory, sha256_is_withdrawn_when_a_user_without_it_shows_up) {
  database->snapshot.knows_keys = true;
  database->keys[{kRealm, "old"}] = key_text(make_keys(crypto, "old", kRealm, "pw")).substr(0, 32);
  start();
  EXPECT_TRUE(directory->realm(kRealm)->offers_sha256);
  EXPECT_EQ(settle("old").kind, Kind::kFound);
  EXPECT_FALSE(directory->realm(kRealm)->offers_sha256) << "before the next snapshot says so";
}

TEST_F(Directory, database_down_fails_and_comes_back_by_itself) {
  add("alice", "secret");
  add("bob", "secret");
  start();
  ASSERT_EQ(settle("alice").kind, Kind::kFound);
  database->down = true;
  EXPECT_EQ(settle("bob").kind, Kind::kFailed);
  EXPECT_FALSE(directory->store_is_up());
  EXPECT_EQ(directory->trouble(), "nobody answers");
  EXPECT_EQ(find("alice").kind, Kind::kFound) << "what is remembered is good for its lifetime";
  EXPECT_EQ(directory->counters().outages, 1u);
  const int lookups = database->lookups;
  now += seconds(2);
  EXPECT_EQ(settle("bob").kind, Kind::kFailed);
  EXPECT_EQ(database->lookups, lookups) << "while it is down nobody waits for it";
  database->down = false;
  while (!directory->store_is_up()) news();
  now += seconds(2);
  EXPECT_EQ(settle("bob").kind, Kind::kFound);
}

TEST_F(Directory, restarted_server_costs_nobody_an_error) {
  add("alice", "secret");
  start();
  database->fail_once = 1;
  EXPECT_EQ(settle("alice").kind, Kind::kFound);
  EXPECT_EQ(directory->counters().outages, 0u);
}

TEST_F(Directory, down_at_start_is_no_reason_not_to_serve) {
  database->down = true;
  add("alice", "secret");
  start();
  EXPECT_TRUE(opened);
  EXPECT_EQ(find("static").kind, Kind::kFound);
  EXPECT_EQ(settle("alice").kind, Kind::kFailed);
}

TEST_F(Directory, wrong_schema_refuses_to_start) {
  database->unusable = true;
  start();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), "no table turnusers_lt");
}

TEST_F(Directory, too_many_lookups_are_refused_not_failed) {
  start();
  std::unique_lock hanging(database->mutex);
  turn::UserAnswer last;
  for (std::size_t i = 0; i < LookupThread::kQueueSize + 2; ++i) last = find("user" + std::to_string(i));
  EXPECT_EQ(last.kind, Kind::kPending);
  EXPECT_EQ(last.lookup, turn::kRefusedLookup);
  EXPECT_GE(directory->counters().refused, 1u);
}

TEST_F(Directory, C227_C228_ephemeral_credentials) {
  settings.ephemeral = {true, ':', {"old-secret", "north-secret"}};
  wall = seconds(1735689600 - 100);
  start(false);
  EXPECT_FALSE(directory->realm(kRealm)->finds_userhash);
  const auto answer = find("1735689600:alice");
  ASSERT_EQ(answer.kind, Kind::kFound);
  ASSERT_EQ(answer.keys.size(), 2u);
  EXPECT_EQ(key_text(answer.keys[1]).substr(0, 32), "5a9ae6bc234c12b4760fea903fe0d63f");
  EXPECT_EQ(answer.keys[1].account, "alice");
  EXPECT_EQ(answer.keys[1].valid_until, now + seconds(100));
  EXPECT_TRUE(answer.keys[1].sha256);
  wall += seconds(100);
  now += seconds(100);
  EXPECT_EQ(find("1735689600:alice").kind, Kind::kUnknown) << "expired";
  EXPECT_EQ(find("9999999999999999999:alice").kind, Kind::kUnknown) << "beyond 64 bits";
  EXPECT_EQ(find("alice").kind, Kind::kUnknown);
  EXPECT_EQ(find("4000000000000:alice").keys.front().valid_until, kNever);
  EXPECT_EQ(find("static").kind, Kind::kFound) << "users of options stay";
}

TEST_F(Directory, secrets_of_the_database_by_realm) {
  settings.ephemeral = {true, ':', {}};
  settings.store_has_users = false;
  database->snapshot.secrets = {{kRealm, "one"}, {"other.net", "two"}, {"", "all"}};
  start();
  const std::string name = std::to_string(kWall + 50) + ":x";
  EXPECT_EQ(find(name).keys.size(), 2u);
  EXPECT_EQ(find(name, "other.net").keys.size(), 2u);
  const auto expected = make_keys(crypto, name, "other.net", ephemeral_password(crypto, "two", name));
  EXPECT_EQ(find(name, "other.net").keys.front().md5, expected.md5);
}

TEST_F(Directory, secrets_that_were_never_read_fail) {
  settings.ephemeral = {true, ':', {}};
  settings.store_has_users = false;
  database->down = true;
  start();
  EXPECT_EQ(find(std::to_string(kWall + 50)).kind, Kind::kFailed);
}

TEST_F(Directory, realms_origins_limits_and_peers_of_the_database) {
  settings.policy.deny(*turn::AddressRange::parse("8.8.8.8"));
  database->snapshot.origins = {{"HTTPS://Other.net", "other.net"}, {"https://void.net", ""}};
  database->snapshot.options = {{"other.net", "user-quota", "3"},
                                {"other.net", "max-bps", "1000"},
                                {kRealm, "total-quota", "9"},
                                {kRealm, "max-bps", "many"}};
  database->snapshot.denied_peers = {{"", "9.9.9.9"}, {"other.net", "1.1.1.0-1.1.1.9"}, {kRealm, "rubbish"}};
  database->snapshot.allowed_peers = {{"other.net", "10.0.0.0/8"}};
  start();
  EXPECT_EQ(directory->realm_for_origin("https://other.net:443").name, "other.net");
  EXPECT_EQ(directory->realm_for_origin("https://other.net").name, "other.net");
  EXPECT_EQ(directory->realm_for_origin("http://other.net").name, kRealm);
  EXPECT_EQ(directory->realm_for_origin("").name, kRealm);
  EXPECT_EQ(directory->realm("other.net")->limits.user_quota, 3u);
  EXPECT_EQ(directory->realm("other.net")->limits.max_bps, 1000u);
  EXPECT_EQ(directory->realm(kRealm)->limits.total_quota, 9u);
  EXPECT_EQ(directory->realm(kRealm)->limits.max_bps, 0u);
  const auto permits = [&](const char* realm, const char* address) {
    return directory->policies().of(realm).permits(*wire::parse_address(address));
  };
  EXPECT_FALSE(permits(kRealm, "9.9.9.9"));
  EXPECT_FALSE(permits("other.net", "9.9.9.9"));
  EXPECT_FALSE(permits("other.net", "8.8.8.8"));
  EXPECT_FALSE(permits("other.net", "1.1.1.5"));
  EXPECT_TRUE(permits(kRealm, "1.1.1.5"));
  EXPECT_TRUE(permits("other.net", "10.1.2.3"));
  EXPECT_FALSE(permits(kRealm, "10.1.2.3"));
}

TEST_F(Directory, nobody_waits_for_a_long_snapshot) {
  settings.cache_lifetime = seconds(1);
  add("alice", "secret");
  start();
  database->long_snapshot = true;
  std::this_thread::sleep_for(milliseconds(1200));
  EXPECT_EQ(settle("alice").kind, Kind::kFound);
  database->long_snapshot = false;
}

TEST_F(Directory, snapshot_is_read_again) {
  settings.cache_lifetime = seconds(1);
  start();
  EXPECT_EQ(directory->realm("other.net"), nullptr);
  {
    const std::lock_guard lock(database->mutex);
    database->snapshot.user_realms = {"other.net"};
  }
  bool changed = false;
  while (directory->realm("other.net") == nullptr) news(&changed);
  EXPECT_TRUE(changed);
}

}  // namespace
}  // namespace turnpike::control
