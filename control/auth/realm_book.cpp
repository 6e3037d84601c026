// SPDX-License-Identifier: BSD-3-Clause
// Rows to realms.
#include "control/auth/realm_book.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "control/auth/origin.hpp"

namespace turnpike::control {
namespace {

template <typename Number>
std::optional<Number> parse_limit(std::string_view text) {
  Number number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool set_limit(turn::RealmLimits& limits, const RealmOption& option) {
  if (option.name == "max-bps") {
    const auto value = parse_limit<std::uint64_t>(option.value);
    limits.max_bps = value.value_or(0);
    return value.has_value();
  }
  const auto value = parse_limit<std::uint32_t>(option.value);
  if (option.name == "total-quota") {
    limits.total_quota = value.value_or(0);
  } else if (option.name == "user-quota") {
    limits.user_quota = value.value_or(0);
  } else {
    return false;
  }
  return value.has_value();
}

}  // namespace

RealmBook::RealmBook(const RealmDefaults& defaults, const StoreSnapshot* snapshot)
    : common_secrets_(defaults.secrets), default_realm_(defaults.realm), policies_{defaults.policy, {}} {
  realm(default_realm_);
  if (snapshot != nullptr) {
    read_names(defaults, *snapshot);
    read_options(*snapshot);
    read_peers(*snapshot);
  }
  set_features(defaults, snapshot);
}

turn::Realm& RealmBook::realm(const std::string& name) {
  turn::Realm& found = realms_[name];
  found.name = name;
  return found;
}

void RealmBook::read_names(const RealmDefaults& defaults, const StoreSnapshot& snapshot) {
  for (const OriginRealm& row : snapshot.origins) {
    if (row.realm.empty()) continue;
    origins_[canonical_origin(row.origin)] = row.realm;
    realm(row.realm);
  }
  if (defaults.store_has_users) {
    for (const std::string& name : snapshot.user_realms) {
      if (!name.empty()) realm(name);
    }
  }
  if (!defaults.ephemeral) return;
  for (const RealmValue& row : snapshot.secrets) {
    if (row.realm.empty()) {
      common_secrets_.push_back(row.value);
      continue;
    }
    realm(row.realm);
    secrets_[row.realm].push_back(row.value);
  }
  for (auto& [name, own] : secrets_) own.insert(own.end(), common_secrets_.begin(), common_secrets_.end());
}

void RealmBook::read_options(const StoreSnapshot& snapshot) {
  for (const RealmOption& row : snapshot.options) {
    if (row.realm.empty()) continue;
    if (set_limit(realm(row.realm).limits, row)) continue;
    complaints_.push_back("turn_realm_option of realm " + row.realm + ": " + row.name + "=" + row.value +
                          " is no limit; there are max-bps, total-quota and user-quota with whole numbers");
  }
}

void RealmBook::add_rule(const RealmValue& row, bool allowed, turn::AddressPolicy& policy) {
  const auto added = allowed ? policy.allow(row.value) : policy.deny(row.value);
  if (added) return;
  complaints_.push_back((allowed ? "allowed_peer_ip of realm " : "denied_peer_ip of realm ") + row.realm +
                        ": " + added.error());
}

// First the rules of every realm, which the others begin with.
void RealmBook::read_peers(const StoreSnapshot& snapshot) {
  const auto for_each = [&](auto&& visit) {
    for (const RealmValue& row : snapshot.allowed_peers) visit(row, true);
    for (const RealmValue& row : snapshot.denied_peers) visit(row, false);
  };
  for_each([&](const RealmValue& row, bool allowed) {
    if (row.realm.empty()) add_rule(row, allowed, policies_.common);
  });
  for_each([&](const RealmValue& row, bool allowed) {
    if (row.realm.empty()) return;
    auto own = policies_.by_realm.find(row.realm);
    if (own == policies_.by_realm.end()) own = policies_.by_realm.emplace(row.realm, policies_.common).first;
    add_rule(row, allowed, own->second);
  });
}

void RealmBook::set_features(const RealmDefaults& defaults, const StoreSnapshot* snapshot) {
  for (auto& [name, realm] : realms_) {
    if (name == default_realm_) realm.offers_sha256 = defaults.options_have_sha256;
    if (!defaults.store_has_users) {
      realm.finds_userhash = !defaults.ephemeral;
      continue;
    }
    // A hash cannot be turned into the name that a database is asked for.
    realm.finds_userhash = false;
    const bool known = snapshot != nullptr && snapshot->knows_keys;
    realm.offers_sha256 &=
        known && std::find(snapshot->md5_only_realms.begin(), snapshot->md5_only_realms.end(), name) ==
                     snapshot->md5_only_realms.end();
  }
}

const turn::Realm* RealmBook::find(std::string_view name) const {
  const auto found = realms_.find(name);
  return found == realms_.end() ? nullptr : &found->second;
}

const turn::Realm& RealmBook::of_origin(std::string_view origin) const {
  const auto found = origin.empty() ? origins_.end() : origins_.find(canonical_origin(origin));
  return realms_.find(found == origins_.end() ? default_realm_ : found->second)->second;
}

void RealmBook::withdraw_sha256(std::string_view realm) {
  const auto found = realms_.find(realm);
  if (found != realms_.end()) found->second.offers_sha256 = false;
}

const std::vector<std::string>& RealmBook::secrets(std::string_view realm) const {
  const auto own = secrets_.find(realm);
  return own == secrets_.end() ? common_secrets_ : own->second;
}

}  // namespace turnpike::control
