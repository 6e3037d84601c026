// SPDX-License-Identifier: BSD-3-Clause
// Users and groups of the system by name.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/base/result.hpp"

namespace turnpike::process {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// By name or number; the error begins with `option`=NAME.
Result<User> find_user(const std::string& option, const std::string& name);
// Nothing for an empty name.
Result<std::optional<User>> find_optional_user(const std::string& option, const std::string& name);
Result<gid_t> find_group(const std::string& option, const std::string& name);

}  // namespace turnpike::process
