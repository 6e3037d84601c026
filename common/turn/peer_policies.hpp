// SPDX-License-Identifier: BSD-3-Clause
// Who may be a peer, realm by realm.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/turn/address_policy.hpp"

namespace turnpike::turn {

struct PeerPolicies {
  AddressPolicy common;  // of every realm without rules of its own
  // Complete: the common rules are in them too.
  std::map<std::string, AddressPolicy, std::less<>> by_realm;

  const AddressPolicy& of(std::string_view realm) const {
    if (by_realm.empty()) return common;
    const auto own = by_realm.find(realm);
    return own == by_realm.end() ? common : own->second;
  }
};

}  // namespace turnpike::turn
