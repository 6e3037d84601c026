// SPDX-License-Identifier: BSD-3-Clause
// A secret from whoever runs the program, past its arguments.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace turnpike::ctl {

// At a terminal it is asked for twice, without echo; else it is the first line of standard input.
Result<std::string> read_secret(const std::string& what);

}  // namespace turnpike::ctl
