// SPDX-License-Identifier: BSD-3-Clause
// Lines of the main lcore and of start-up on standard error. Workers never log: they count.
#pragma once

#include <string>

namespace turnpike::dataplane {

void log_line(const std::string& text);

}  // namespace turnpike::dataplane
