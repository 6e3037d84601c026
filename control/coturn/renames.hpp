// SPDX-License-Identifier: BSD-3-Clause
// coturn's options that another name, or another value, says here.
#pragma once

#include <optional>
#include <vector>

#include "control/coturn/turnserver_conf.hpp"

namespace turnpike::control {

// Our lines in place of this one, none when it asks for what is the case anyway; nothing when its name is not
// another one here.
std::optional<std::vector<ConfLine>> rename(const ConfLine& line);

}  // namespace turnpike::control
