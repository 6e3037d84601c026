// SPDX-License-Identifier: BSD-3-Clause
// The realms with all that belongs to a realm rather than to a user: origins, secrets, limits, peer lists.
// Made from the options and the latest snapshot of the database.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/turn/peer_policies.hpp"
#include "common/turn/users.hpp"
#include "control/store/store.hpp"

namespace turnpike::control {

struct RealmDefaults {
  std::string realm;                 // of clients that name no known origin
  turn::AddressPolicy policy;        // from options, in every realm
  std::vector<std::string> secrets;  // likewise
  bool options_have_sha256 = true;   // every user of the options has such a key
  bool store_has_users = false;      // users are looked up in a database
  bool ephemeral = false;
};

class RealmBook {
public:
  // `snapshot` is null when there is no database, or while nothing of it is known.
  RealmBook(const RealmDefaults& defaults, const StoreSnapshot* snapshot);

  const turn::Realm* find(std::string_view name) const;
  const turn::Realm& of_origin(std::string_view origin) const;
  // A user without SHA-256 key was met, of whom the snapshot did not know.
  void withdraw_sha256(std::string_view realm);
  const std::vector<std::string>& secrets(std::string_view realm) const;
  const turn::PeerPolicies& policies() const { return policies_; }
  std::size_t size() const { return realms_.size(); }
  // Rows that mean nothing and were left out, one line each.
  const std::vector<std::string>& complaints() const { return complaints_; }

private:
  template <typename Value>
  using ByName = std::map<std::string, Value, std::less<>>;

  turn::Realm& realm(const std::string& name);
  void read_names(const RealmDefaults& defaults, const StoreSnapshot& snapshot);
  void read_options(const StoreSnapshot& snapshot);
  void read_peers(const StoreSnapshot& snapshot);
  void add_rule(const RealmValue& row, bool allowed, turn::AddressPolicy& policy);
  void set_features(const RealmDefaults& defaults, const StoreSnapshot* snapshot);

  ByName<turn::Realm> realms_;
  ByName<std::string> origins_;
  ByName<std::vector<std::string>> secrets_;
  std::vector<std::string> common_secrets_;
  std::string default_realm_;
  turn::PeerPolicies policies_;
  std::vector<std::string> complaints_;
};

}  // namespace turnpike::control
