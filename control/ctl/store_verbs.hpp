// SPDX-License-Identifier: BSD-3-Clause
// The verbs that edit the user database itself, whether turnpike-control runs or not.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace turnpike::ctl {

struct StoreCall {
  std::vector<std::string> options;  // "--userdb=PATH" and the like, as turnpike-control takes them
  std::vector<std::string> words;    // verb, action and what it is done to
  bool every_realm = false;
  bool json = false;
};

bool is_store_verb(const std::string& verb);

// What to print. A missing password or secret is asked for, or read as a line of standard input. An error
// that begins with "usage: " is the caller's mistake.
Result<std::string> run_store_verb(const StoreCall& call);

}  // namespace turnpike::ctl
