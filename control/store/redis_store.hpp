// SPDX-License-Identifier: BSD-3-Clause
// Redis by hiredis, with the keys that coturn uses:
//   turn/realm/REALM/user/NAME/key   text    turn/realm/REALM/secret              set
//   turn/origin/ORIGIN               text    turn/realm/REALM/allowed-peer-ip     set, denied-peer-ip
//   likewise turn/realm/REALM/OPTION          text    (max-bps, total-quota, user-quota)
// The empty realm of the peer lists stands for every realm, as in the SQL tables.
#pragma once

#include <hiredis/hiredis.h>

#include <functional>
#include <memory>

#include "control/store/store.hpp"

namespace turnpike::control {

// "ip=... dbname=... password=... port=... connect_timeout=...", all of them optional.
struct RedisConnection {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string database;
  std::string user;
  std::string password;
  int connect_timeout_s = 5;

  static Result<RedisConnection> parse(const std::string& text);
};

class RedisStore final : public Store {
public:
  explicit RedisStore(RedisConnection connection) : connection_(std::move(connection)) {}

  std::string name() const override;
  StoreOpening open() override;
  Result<std::optional<std::string>> find_key(const std::string& realm, const std::string& user) override;
  Result<StoreSnapshot> read_snapshot(const std::function<void()>& between) override;
  Status put_user(const std::string& realm, const std::string& user, const std::string& key_text) override;
  Result<bool> delete_user(const std::string& realm, const std::string& user) override;
  Status put_value(ValueTable table, const RealmValue& row) override;
  Result<bool> delete_value(ValueTable table, const RealmValue& row) override;
  Result<std::vector<RealmValue>> list_users(const std::string& realm) override;
  Result<std::vector<RealmValue>> list_values(ValueTable table, const std::string& realm) override;

private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, Free>;

  Result<Reply> command(const std::vector<std::string>& words);
  Status login();
  // Every key that matches, once or several times; `between` the pages.
  Status scan(
      const std::string& pattern, const std::function<Status(const std::string& key)>& visit,
      const std::function<void()>& between = [] {});
  Status read_realm_key(const std::string& key, StoreSnapshot& snapshot);
  Status read_members(const std::string& key, const std::string& realm, std::vector<RealmValue>& rows);

  RedisConnection connection_;
  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace turnpike::control
