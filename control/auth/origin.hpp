// SPDX-License-Identifier: BSD-3-Clause
// The ORIGIN of a web page in one spelling: scheme://host:port in lower case, the scheme's usual port
// included, as coturn keeps it in its table.
#pragma once

#include <string>
#include <string_view>

namespace turnpike::control {

// What is no scheme://host[:port] is left as it is.
std::string canonical_origin(std::string_view origin);

}  // namespace turnpike::control
