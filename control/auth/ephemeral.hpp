// SPDX-License-Identifier: BSD-3-Clause
// Ephemeral credentials, known as the TURN REST API: the name says until when it is good, the password is
// base64(HMAC-SHA1(secret, name)). Who hands them out shares the secret; no user is stored anywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/turn/users.hpp"

namespace turnpike::control {

struct EphemeralName {
  std::int64_t expires = 0;  // seconds since 1970
  std::string_view account;  // empty: the name is its time alone
};

// "EXPIRES:ACCOUNT", "ACCOUNT:EXPIRES" or "EXPIRES", `separator` standing for the colon. Nothing: another
// kind of name.
std::optional<EphemeralName> parse_ephemeral(std::string_view name, char separator);

std::string ephemeral_password(Crypto& crypto, std::string_view secret, std::string_view name);

struct EphemeralSettings {
  bool enabled = false;
  char separator = ':';
  std::vector<std::string> secrets;  // good in every realm
};

}  // namespace turnpike::control
