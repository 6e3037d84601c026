// SPDX-License-Identifier: BSD-3-Clause
// The statements.
#include "control/store/sql_store.hpp"

#include <array>

#include "control/store/key_text.hpp"

namespace turnpike::control {
namespace {

struct Column {
  const char* name;
  const char* type;
};

// coturn's tables: names, columns and widths are an interface between programs. What we do not read
// (turn_origin_to_realm and before are read) is made too, for turnadmin.
struct TableSchema {
  const char* name;
  std::vector<Column> columns;
  const char* key;
  bool used;
};

const std::vector<TableSchema>& tables() {
  static const char* const kRealm = "varchar(127) default ''";
  static const std::vector<TableSchema> list = {
      {"turnusers_lt",
       {{"realm", kRealm}, {"name", "varchar(512)"}, {"hmackey", "char(128)"}},
       "realm,name",
       true},
      {"turn_secret", {{"realm", kRealm}, {"value", "varchar(256)"}}, "realm,value", true},
      {"allowed_peer_ip", {{"realm", kRealm}, {"ip_range", "varchar(256)"}}, "realm,ip_range", true},
      {"denied_peer_ip", {{"realm", kRealm}, {"ip_range", "varchar(256)"}}, "realm,ip_range", true},
      {"turn_origin_to_realm", {{"origin", "varchar(127)"}, {"realm", "varchar(127)"}}, "origin", true},
      {"turn_realm_option",
       {{"realm", kRealm}, {"opt", "varchar(32)"}, {"value", "varchar(128)"}},
       "realm,opt",
       true},
      {"oauth_key",
       {{"kid", "varchar(128)"},
        {"ikm_key", "varchar(256)"},
        {"timestamp", "bigint default 0"},
        {"lifetime", "integer default 0"},
        {"as_rs_alg", "varchar(64) default ''"},
        {"realm", "varchar(127)"}},
       "kid",
       false},
      {"admin_user",
       {{"name", "varchar(32)"}, {"realm", "varchar(127)"}, {"password", "varchar(127)"}},
       "name",
       false},
  };
  return list;
}

struct ValueColumn {
  std::string table;
  std::string column;
};

ValueColumn place_of(ValueTable table) {
  switch (table) {
    case ValueTable::kSecrets:
      return {"turn_secret", "value"};
    case ValueTable::kAllowedPeers:
      return {"allowed_peer_ip", "ip_range"};
    case ValueTable::kDeniedPeers:
      return {"denied_peer_ip", "ip_range"};
  }
  return {};
}

constexpr unsigned kUsersLookedThrough = 100'000;  // of one realm, for SHA-256 keys

// One index step a realm instead of a look at every user.
constexpr const char* kUserRealms =
    "with recursive found(realm) as (select min(realm) from turnusers_lt union all "
    "select (select min(realm) from turnusers_lt where realm > found.realm) from found "
    "where found.realm is not null) select realm from found where realm is not null";

}  // namespace

std::string sql_schema() {
  std::string text;
  for (const TableSchema& table : tables()) {
    text += "create table " + std::string(table.name) + " (";
    for (const Column& column : table.columns) {
      text += std::string(column.name) + " " + column.type + ", ";
    }
    text += "primary key (" + std::string(table.key) + "));\n";
  }
  return text;
}

StoreOpening SqlStore::check_schema() {
  for (const TableSchema& table : tables()) {
    if (!table.used) continue;
    std::string columns;
    for (const Column& column : table.columns) {
      columns += (columns.empty() ? "" : ",") + std::string(column.name);
    }
    const auto found = query("select " + columns + " from " + table.name + " limit 0", {});
    if (found) continue;
    if (broken()) return {StoreOpening::Outcome::kUnreachable, found.error()};
    return {StoreOpening::Outcome::kUnusable, found.error() +
                                                  "; its schema is missing or of another version: it needs " +
                                                  table.name + " (" + columns + "), see turnpikectl schema"};
  }
  return {};
}

Result<std::optional<std::string>> SqlStore::find_key(const std::string& realm, const std::string& user) {
  auto rows = query("select hmackey from turnusers_lt where realm=$1 and name=$2", {realm, user});
  if (!rows) return Error{rows.error()};
  if (rows->empty()) return std::optional<std::string>();
  return std::optional(std::move((*rows)[0][0]));
}

// The first user without the longer key ends the look. Of more users than that nobody can say in reasonable
// time, so they count as if one of them had none.
Result<bool> SqlStore::all_have_sha256(const std::string& realm) {
  const std::string some = " from (select hmackey from turnusers_lt where realm=$1 limit " +
                           std::to_string(kUsersLookedThrough + 1) + ") as looked_through";
  const auto short_key = query(
      "select 1" + some + " where length(rtrim(hmackey)) < " + std::to_string(kFullKeyTextSize) + " limit 1",
      {realm});
  if (!short_key) return Error{short_key.error()};
  if (!short_key->empty()) return false;
  const auto count = query("select count(*)" + some, {realm});
  if (!count) return Error{count.error()};
  return std::stoul((*count)[0][0]) <= kUsersLookedThrough;
}

Status SqlStore::read_realms(StoreSnapshot& snapshot, const std::function<void()>& between) {
  auto realms = query(kUserRealms, {});
  if (!realms) return Error{realms.error()};
  for (auto& row : *realms) {
    const auto full = all_have_sha256(row[0]);
    if (!full) return Error{full.error()};
    between();
    if (!*full) snapshot.md5_only_realms.push_back(row[0]);
    snapshot.user_realms.push_back(std::move(row[0]));
  }
  return Unit{};
}

Result<StoreSnapshot> SqlStore::read_snapshot(const std::function<void()>& between) {
  StoreSnapshot snapshot;
  const std::array<std::pair<ValueTable, std::vector<RealmValue>*>, 3> lists = {
      {{ValueTable::kSecrets, &snapshot.secrets},
       {ValueTable::kAllowedPeers, &snapshot.allowed_peers},
       {ValueTable::kDeniedPeers, &snapshot.denied_peers}}};
  for (const auto& [table, rows] : lists) {
    auto values = list_values(table, {});
    if (!values) return Error{values.error()};
    *rows = std::move(*values);
    between();
  }
  auto origins = query("select origin,realm from turn_origin_to_realm", {});
  if (!origins) return Error{origins.error()};
  for (auto& row : *origins) snapshot.origins.push_back({std::move(row[0]), std::move(row[1])});
  auto options = query("select realm,opt,value from turn_realm_option", {});
  if (!options) return Error{options.error()};
  for (auto& row : *options) {
    snapshot.options.push_back({std::move(row[0]), std::move(row[1]), std::move(row[2])});
  }
  snapshot.knows_keys = true;
  if (auto realms = read_realms(snapshot, between); !realms) return Error{realms.error()};
  return snapshot;
}

Status SqlStore::put_user(const std::string& realm, const std::string& user, const std::string& key_text) {
  const auto done = query(
      "insert into turnusers_lt (realm,name,hmackey) values ($1,$2,$3) "
      "on conflict (realm,name) do update set hmackey=excluded.hmackey",
      {realm, user, key_text});
  if (!done) return Error{done.error()};
  return Unit{};
}

Result<bool> SqlStore::delete_user(const std::string& realm, const std::string& user) {
  const auto gone =
      query("delete from turnusers_lt where realm=$1 and name=$2 returning name", {realm, user});
  if (!gone) return Error{gone.error()};
  return !gone->empty();
}

Status SqlStore::put_value(ValueTable table, const RealmValue& row) {
  const auto [name, column] = place_of(table);
  const auto done =
      query("insert into " + name + " (realm," + column + ") values ($1,$2) on conflict do nothing",
            {row.realm, row.value});
  if (!done) return Error{done.error()};
  return Unit{};
}

Result<bool> SqlStore::delete_value(ValueTable table, const RealmValue& row) {
  const auto [name, column] = place_of(table);
  const auto gone = query("delete from " + name + " where realm=$1 and " + column + "=$2 returning realm",
                          {row.realm, row.value});
  if (!gone) return Error{gone.error()};
  return !gone->empty();
}

Result<std::vector<RealmValue>> SqlStore::list(const std::string& table, const std::string& column,
                                               const std::string& realm) {
  const std::string columns = "select realm," + column + " from " + table;
  const std::string order = " order by realm," + column;
  auto rows =
      realm.empty() ? query(columns + order, {}) : query(columns + " where realm=$1" + order, {realm});
  if (!rows) return Error{rows.error()};
  std::vector<RealmValue> values;
  for (auto& row : *rows) values.push_back({std::move(row[0]), std::move(row[1])});
  return values;
}

Result<std::vector<RealmValue>> SqlStore::list_users(const std::string& realm) {
  return list("turnusers_lt", "name", realm);
}

Result<std::vector<RealmValue>> SqlStore::list_values(ValueTable table, const std::string& realm) {
  const auto [name, column] = place_of(table);
  return list(name, column, realm);
}

}  // namespace turnpike::control
