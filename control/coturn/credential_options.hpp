// SPDX-License-Identifier: BSD-3-Clause
// Which options of coturn say who may allocate.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace turnpike::control {

inline constexpr auto kCredentialOptions = std::to_array<std::string_view>(
    {"user", "lt-cred-mech", "use-auth-secret", "static-auth-secret", "oauth", "userdb", "db", "psql-userdb",
     "sql-userdb", "mysql-userdb", "mongo-userdb", "redis-userdb"});

// Whoever names one of these means to know who allocates.
constexpr bool is_credential_option(std::string_view name) {
  return std::find(kCredentialOptions.begin(), kCredentialOptions.end(), name) != kCredentialOptions.end();
}

constexpr bool decides_who_allocates(std::string_view name) {
  return is_credential_option(name) || name == "no-auth" || name == "realm";
}

}  // namespace turnpike::control
