// SPDX-License-Identifier: BSD-3-Clause
// The long-term credential mechanism as a ladder of checks (RFC 8489 section 9.2.4).
#pragma once

#include <optional>

#include "common/turn/service.hpp"

namespace turnpike::turn {

// On success fills request.user and the key and integrity of request.reply, and returns nothing. Otherwise
// the error: 400 goes out plain, 401 and 438 as a challenge. The order of the checks:
//   no integrity 401; incomplete 400; nonce not ours 438; password algorithms inconsistent 400; unknown user
//   or realm 401; wrong HMAC 401; nonce genuine but too old 438.
// RFC 8489 has both nonce checks at the end; a forged nonce is refused before any look-up, which costs honest
// clients nothing.
std::optional<stun::ErrorCode> authenticate(Service& service, Request& request);

}  // namespace turnpike::turn
