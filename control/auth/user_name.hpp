// SPDX-License-Identifier: BSD-3-Clause
// Which names a database is asked for at all: clients write whatever they like.
#pragma once

#include <string_view>

namespace turnpike::control {

// Well-formed UTF-8 (RFC 3629) without control characters, of 1 to 508 bytes (RFC 8489 section 14.3). A
// database takes everything else for a mistake, and must not be made to look as if it were down.
bool is_user_name(std::string_view name);

}  // namespace turnpike::control
