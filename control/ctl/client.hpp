// SPDX-License-Identifier: BSD-3-Clause
// One request to the admin socket of a running turnpike-control.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace turnpike::ctl {

// Sends the line and returns the answer's line, both without the newline. Errors name the path and the
// remedy.
Result<std::string> ask(const std::string& socket_path, const std::string& line);

}  // namespace turnpike::ctl
