// SPDX-License-Identifier: BSD-3-Clause
// A database of users, secrets and realms in coturn's schema. Every call may block, but not for long: each
// has a time limit of a few seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.hpp"

namespace turnpike::control {

// A row of the tables that hold one value a realm; of users the name. An empty realm means every realm.
struct RealmValue {
  std::string realm;
  std::string value;
  friend bool operator==(const RealmValue&, const RealmValue&) = default;
};

struct RealmOption {
  std::string realm;
  std::string name;  // max-bps, total-quota, user-quota
  std::string value;
};

struct OriginRealm {
  std::string origin;
  std::string realm;
};

// All that is not one user's: small, and read as a whole.
struct StoreSnapshot {
  std::vector<RealmValue> secrets;
  std::vector<RealmValue> allowed_peers;
  std::vector<RealmValue> denied_peers;
  std::vector<OriginRealm> origins;
  std::vector<RealmOption> options;
  std::vector<std::string> user_realms;      // that have users
  bool knows_keys = false;                   // false: the next list says nothing
  std::vector<std::string> md5_only_realms;  // some of whose users have, or may have, no SHA-256 key
};

struct StoreOpening {
  enum class Outcome : std::uint8_t {
    kReady,
    kUnreachable,  // down, or not up yet: try again later
    kUnusable,     // reached, but its schema is missing or another one: somebody has to mend it
  };
  Outcome outcome = Outcome::kReady;
  std::string text;  // what is wrong, and the remedy
};

enum class ValueTable : std::uint8_t { kSecrets, kAllowedPeers, kDeniedPeers };

// One thread only. After a failed call the connection is made anew by open().
class Store {
public:
  virtual ~Store() = default;

  virtual std::string name() const = 0;  // for people; without passwords
  // Connects, again if need be, and looks whether the schema is ours.
  virtual StoreOpening open() = 0;

  // The text of a user's key; see key_text.hpp.
  virtual Result<std::optional<std::string>> find_key(const std::string& realm, const std::string& user) = 0;
  // `between` is called after each piece of the work, and may look users up meanwhile.
  virtual Result<StoreSnapshot> read_snapshot(const std::function<void()>& between) = 0;

  // Editing. What is there already is replaced; deletions say whether there was anything.
  virtual Status put_user(const std::string& realm, const std::string& user, const std::string& key_text) = 0;
  virtual Result<bool> delete_user(const std::string& realm, const std::string& user) = 0;
  virtual Status put_value(ValueTable table, const RealmValue& row) = 0;
  virtual Result<bool> delete_value(ValueTable table, const RealmValue& row) = 0;
  // Of one realm, or of all when it is empty; sorted.
  virtual Result<std::vector<RealmValue>> list_users(const std::string& realm) = 0;
  virtual Result<std::vector<RealmValue>> list_values(ValueTable table, const std::string& realm) = 0;
};

}  // namespace turnpike::control
