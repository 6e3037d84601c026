// SPDX-License-Identifier: BSD-3-Clause
// coturn's tables in SQL that SQLite and PostgreSQL both take: the databases differ in how they are reached.
#pragma once

#include <span>

#include "control/store/store.hpp"

namespace turnpike::control {

// What turnpikectl schema prints, and what a new SQLite file gets.
std::string sql_schema();

class SqlStore : public Store {
public:
  Result<std::optional<std::string>> find_key(const std::string& realm, const std::string& user) final;
  Result<StoreSnapshot> read_snapshot(const std::function<void()>& between) final;
  Status put_user(const std::string& realm, const std::string& user, const std::string& key_text) final;
  Result<bool> delete_user(const std::string& realm, const std::string& user) final;
  Status put_value(ValueTable table, const RealmValue& row) final;
  Result<bool> delete_value(ValueTable table, const RealmValue& row) final;
  Result<std::vector<RealmValue>> list_users(const std::string& realm) final;
  Result<std::vector<RealmValue>> list_values(ValueTable table, const std::string& realm) final;

protected:
  using Rows = std::vector<std::vector<std::string>>;  // NULL comes as an empty text
  using Parameters = std::span<const std::string>;

  // One statement; its parameters are $1, $2, ... in the order of their first use.
  virtual Result<Rows> query(const std::string& statement, Parameters parameters) = 0;
  // Whether the last failure was the connection's.
  virtual bool broken() const = 0;

  Result<Rows> query(const std::string& statement, std::initializer_list<std::string> parameters) {
    return query(statement, Parameters(parameters.begin(), parameters.size()));
  }
  // Whether every table and column that we use is there.
  StoreOpening check_schema();

private:
  Result<std::vector<RealmValue>> list(const std::string& table, const std::string& column,
                                       const std::string& realm);
  Status read_realms(StoreSnapshot& snapshot, const std::function<void()>& between);
  Result<bool> all_have_sha256(const std::string& realm);
};

}  // namespace turnpike::control
