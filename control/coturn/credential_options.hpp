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

// Of these coturn uses the one that it reads last.
inline constexpr auto kDatabaseOptions =
    std::to_array<std::string_view>({"userdb", "db", "psql-userdb", "sql-userdb", "redis-userdb"});

constexpr bool is_database_option(std::string_view name) {
  return std::find(kDatabaseOptions.begin(), kDatabaseOptions.end(), name) != kDatabaseOptions.end();
}

}  // namespace turnpike::control
