// SPDX-License-Identifier: BSD-3-Clause
// userdb, psql-userdb and redis-userdb to a store.
#include "control/store/open_store.hpp"

#include "control/store/postgres_store.hpp"
#include "control/store/redis_store.hpp"
#include "control/store/sqlite_store.hpp"

namespace turnpike::control {

Result<std::optional<StoreChoice>> StoreChoice::read(const config::Options& options) {
  using Kind = StoreChoice::Kind;
  if (options.given("userdb") && options.given("db") && options.text("userdb") != options.text("db")) {
    return Error{"userdb=" + options.text("userdb") + " and db=" + options.text("db") +
                 " mean the same; leave one of them out"};
  }
  std::vector<StoreChoice> choices;
  if (options.given("userdb") || options.given("db")) {
    choices.push_back({Kind::kSqlite, options.given("userdb") ? options.text("userdb") : options.text("db")});
  }
  if (options.given("psql-userdb")) choices.push_back({Kind::kPostgres, options.text("psql-userdb")});
  if (options.given("redis-userdb")) choices.push_back({Kind::kRedis, options.text("redis-userdb")});
  if (choices.empty()) return std::optional<StoreChoice>();
  if (choices.size() > 1) {
    return Error{"userdb, psql-userdb and redis-userdb: users come from one database; give one of them"};
  }
  const StoreChoice& choice = choices.front();
  if (choice.kind == Kind::kPostgres) {
    if (auto checked = PostgresStore::check(choice.where); !checked) return Error{checked.error()};
  }
  if (choice.kind == Kind::kRedis) {
    if (auto parsed = RedisConnection::parse(choice.where); !parsed) return Error{parsed.error()};
  }
  return std::optional(choice);
}

std::unique_ptr<Store> make_store(const StoreChoice& choice) {
  switch (choice.kind) {
    case StoreChoice::Kind::kSqlite:
      return std::make_unique<SqliteStore>(choice.where);
    case StoreChoice::Kind::kPostgres:
      return std::make_unique<PostgresStore>(choice.where);
    case StoreChoice::Kind::kRedis:
      return std::make_unique<RedisStore>(*RedisConnection::parse(choice.where));
  }
  return nullptr;
}

}  // namespace turnpike::control
