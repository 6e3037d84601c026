// SPDX-License-Identifier: BSD-3-Clause
// The users who hold allocations, and how many: the quotas (RFC 8656 section 7.2 item 10). A user is
// a name in a realm. The quota counts accounts: ephemeral credentials of one account are many names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

struct UserName {
  std::string_view realm;
  std::string_view name;
  std::string_view account;  // in the same realm; the name itself as a rule
};

class UserTable {
public:
  // The texts are the tables' own.
  struct User {
    std::string_view realm;
    std::string_view name;
    std::string_view account;
    std::uint32_t allocations = 0;

    bool is(const UserName& other) const { return name == other.name && realm == other.realm; }
  };

  explicit UserTable(std::uint64_t seed) : users_(0, Hash{seed}), accounts_(0, Hash{seed}) {}

  // Of the account that the user belongs to.
  std::uint32_t allocations(const UserName& user) const {
    const auto found = accounts_.find(Key{user.realm, user.account});
    return found == accounts_.end() ? 0 : found->second.allocations;
  }

  std::uint32_t allocations_of_realm(std::string_view realm) const {
    const auto found = realms_.find(realm);
    return found == realms_.end() ? 0 : found->second;
  }

  // The pointer is good until the matching leave().
  User* join(const UserName& name) {
    auto& [key, user] = entry(users_, name.realm, name.name);
    if (user.allocations++ == 0) {
      user.realm = key.realm;
      user.name = key.name;
      user.account = entry(accounts_, name.realm, name.account).first.name;
    }
    ++accounts_.find(Key{user.realm, user.account})->second.allocations;
    if (const auto realm = realms_.find(name.realm); realm != realms_.end()) {
      ++realm->second;
    } else {
      realms_.emplace(name.realm, 1);
    }
    return &user;
  }
  void leave(User* user) {
    const auto realm = realms_.find(user->realm);
    if (--realm->second == 0) realms_.erase(realm);
    const auto account = accounts_.find(Key{user->realm, user->account});
    if (--account->second.allocations == 0) accounts_.erase(account);
    if (--user->allocations == 0) users_.erase(users_.find(Key{user->realm, user->name}));
  }

private:
  struct Account {
    std::uint32_t allocations = 0;
  };
  struct Key {
    std::string_view realm;
    std::string_view name;
  };
  struct OwnKey {
    std::string realm;
    std::string name;
    operator Key() const { return {realm, name}; }  // NOLINT: implicit by design
  };
  struct Hash {
    using is_transparent = void;
    std::uint64_t seed;
    std::size_t operator()(const Key& key) const {
      const std::hash<std::string_view> hash;
      return wire::mix(wire::mix(hash(key.name) ^ seed) + hash(key.realm));
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Key& a, const Key& b) const { return a.name == b.name && a.realm == b.realm; }
  };
  template <typename Value>
  using Map = std::unordered_map<OwnKey, Value, Hash, Equal>;

  template <typename Value>
  static std::pair<const OwnKey, Value>& entry(Map<Value>& map, std::string_view realm,
                                               std::string_view name) {
    auto found = map.find(Key{realm, name});
    if (found == map.end()) found = map.emplace(OwnKey{std::string(realm), std::string(name)}, Value{}).first;
    return *found;
  }

  Map<User> users_;
  Map<Account> accounts_;
  std::map<std::string, std::uint32_t, std::less<>> realms_;
};

}  // namespace turnpike::turn
