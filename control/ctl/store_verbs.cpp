// SPDX-License-Identifier: BSD-3-Clause
// user, secret and peer-ip with add, delete and list; schema.
#include "control/ctl/store_verbs.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "common/config/options.hpp"
#include "common/turn/address_policy.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/ctl/format.hpp"
#include "control/ctl/read_secret.hpp"
#include "control/store/key_text.hpp"
#include "control/store/open_store.hpp"
#include "control/store/sql_store.hpp"

namespace turnpike::ctl {
namespace {

using control::RealmValue;
using control::Store;
using control::ValueTable;

struct Target {
  std::unique_ptr<Store> store;
  std::string realm;
};

struct PeerList {
  const char* name;
  ValueTable table;
};
constexpr PeerList kPeerLists[] = {{"allowed", ValueTable::kAllowedPeers},
                                   {"denied", ValueTable::kDeniedPeers}};

Error usage(const std::string& text) { return Error{"usage: turnpikectl " + text}; }

Result<Target> open_target(const StoreCall& call) {
  std::vector<const char*> arguments{"turnpikectl"};
  for (const std::string& option : call.options) arguments.push_back(option.c_str());
  const auto options =
      config::Options::parse(static_cast<int>(arguments.size()), arguments.data(), config::Program::kControl);
  if (!options) return Error{options.error()};
  const auto choice = control::StoreChoice::read(*options);
  if (!choice) return Error{choice.error()};
  if (!*choice) {
    return Error{
        "which database? give --userdb PATH, --psql-userdb CONNECTION or --redis-userdb CONNECTION, or the "
        "relay's "
        "--config FILE"};
  }
  Target target{control::make_store(**choice), call.every_realm ? "" : options->text("realm")};
  const auto opening = target.store->open();
  if (opening.outcome != control::StoreOpening::Outcome::kReady) return Error{opening.text};
  return target;
}

std::string done_text(const StoreCall& call, const std::string& text) {
  return call.json ? Json{{"ok", true}}.dump(2) + "\n" : text + "\n";
}

std::string rows_text(const StoreCall& call, const Json& rows, const std::vector<Table::Column>& columns) {
  if (call.json)
    return Json{{"ok", true}, {call.words[0] + "s", rows}}.dump(2, ' ', false,
                                                                Json::error_handler_t::replace) +
           "\n";
  Table table(columns);
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (const auto& [key, value] : row.items()) cells.push_back(printable_text(value));
    table.add(std::move(cells));
  }
  return table.text();
}

// An empty realm in the tables means all of them.
std::string realm_cell(const std::string& realm) { return realm.empty() ? "*" : realm; }

Status require_realm(const Target& target) {
  if (!target.realm.empty()) return Unit{};
  return Error{"which realm? give --realm REALM"};
}

Result<std::string> add_user(const StoreCall& call, Target& target) {
  if (auto realm = require_realm(target); !realm) return Error{realm.error()};
  const std::string& name = call.words[2];
  std::string secret;
  if (call.words.size() == 4) {
    secret = call.words[3];
  } else {
    auto read = read_secret("password of " + name);
    if (!read) return Error{read.error()};
    secret = std::move(*read);
  }
  control::OpensslCrypto crypto;
  const auto keys = control::read_keys(crypto, name, target.realm, secret);
  if (!keys) return Error{keys.error()};
  if (auto put = target.store->put_user(target.realm, name, control::key_text(*keys)); !put) {
    return Error{put.error()};
  }
  return done_text(call, "user " + name + " of realm " + target.realm + " is in the " + target.store->name());
}

Result<std::string> run_user(const StoreCall& call, Target& target) {
  const std::string& action = call.words[1];
  const std::size_t count = call.words.size();
  if (action == "add" && (count == 3 || count == 4)) return add_user(call, target);
  if (action == "delete" && count == 3) {
    if (auto realm = require_realm(target); !realm) return Error{realm.error()};
    auto gone = target.store->delete_user(target.realm, call.words[2]);
    if (!gone) return Error{gone.error()};
    if (!*gone) return Error{"there is no user " + call.words[2] + " in realm " + target.realm};
    return done_text(call, "user " + call.words[2] + " of realm " + target.realm + " is deleted");
  }
  if (action == "list" && count == 2) {
    const auto users = target.store->list_users(target.realm);
    if (!users) return Error{users.error()};
    Json rows = Json::array();
    for (const RealmValue& user : *users) rows.push_back({{"realm", user.realm}, {"name", user.value}});
    return rows_text(call, rows, {{"REALM"}, {"NAME"}});
  }
  return usage("user add NAME [PASSWORD] | user delete NAME | user list");
}

// Adds or deletes one row.
Result<std::string> change_value(const StoreCall& call, Target& target, ValueTable table,
                                 const std::string& value, const std::string& what) {
  const RealmValue row{target.realm, value};
  const std::string where = target.realm.empty() ? "every realm" : "realm " + target.realm;
  if (call.words[1] == "add") {
    if (auto put = target.store->put_value(table, row); !put) return Error{put.error()};
    return done_text(call, what + " of " + where + " is in the " + target.store->name());
  }
  auto gone = target.store->delete_value(table, row);
  if (!gone) return Error{gone.error()};
  if (!*gone) return Error{"there is no such " + what + " of " + where};
  return done_text(call, what + " of " + where + " is deleted");
}

Result<std::string> run_secret(const StoreCall& call, Target& target) {
  const std::string& action = call.words[1];
  const std::size_t count = call.words.size();
  if ((action == "add" || action == "delete") && (count == 2 || count == 3)) {
    auto secret = count == 3 ? Result<std::string>(call.words[2]) : read_secret("secret");
    if (!secret) return secret;
    return change_value(call, target, ValueTable::kSecrets, *secret, "secret");
  }
  if (action == "list" && count == 2) {
    const auto secrets = target.store->list_values(ValueTable::kSecrets, target.realm);
    if (!secrets) return Error{secrets.error()};
    Json rows = Json::array();
    for (const RealmValue& row : *secrets)
      rows.push_back({{"realm", realm_cell(row.realm)}, {"secret", row.value}});
    return rows_text(call, rows, {{"REALM"}, {"SECRET"}});
  }
  return usage("secret add [SECRET] | secret delete [SECRET] | secret list");
}

// As coturn writes ranges, which knows no prefixes.
Result<std::string> plain_range(const std::string& text) {
  const auto range = turn::AddressRange::parse(text);
  if (!range) return Error{range.error()};
  const std::string first = wire::to_string(range->first);
  return range->first == range->last ? first : first + "-" + wire::to_string(range->last);
}

Result<std::string> run_peer_ip(const StoreCall& call, Target& target) {
  const std::string& action = call.words[1];
  const std::size_t count = call.words.size();
  if (action == "list" && count == 2) {
    Json rows = Json::array();
    for (const PeerList& list : kPeerLists) {
      const auto ranges = target.store->list_values(list.table, target.realm);
      if (!ranges) return Error{ranges.error()};
      for (const RealmValue& row : *ranges) {
        rows.push_back({{"realm", realm_cell(row.realm)}, {"list", list.name}, {"range", row.value}});
      }
    }
    return rows_text(call, rows, {{"REALM"}, {"LIST"}, {"RANGE"}});
  }
  for (const PeerList& list : kPeerLists) {
    if (count != 4 || (action != "add" && action != "delete") || call.words[2] != list.name) continue;
    const auto range = plain_range(call.words[3]);
    if (!range) return range;
    return change_value(call, target, list.table, *range, std::string(list.name) + " peer range " + *range);
  }
  return usage("peer-ip add|delete allowed|denied RANGE | peer-ip list");
}

}  // namespace

bool is_store_verb(const std::string& verb) {
  return verb == "user" || verb == "secret" || verb == "peer-ip" || verb == "schema";
}

Result<std::string> run_store_verb(const StoreCall& call) {
  const std::string& verb = call.words[0];
  if (verb == "schema") {
    if (call.words.size() != 1) return usage("schema");
    return control::sql_schema();
  }
  if (call.words.size() < 2) return usage(verb + " add|delete|list ...; see turnpikectl --help");
  auto target = open_target(call);
  if (!target) return Error{target.error()};
  if (verb == "user") return run_user(call, *target);
  if (verb == "secret") return run_secret(call, *target);
  return run_peer_ip(call, *target);
}

}  // namespace turnpike::ctl
