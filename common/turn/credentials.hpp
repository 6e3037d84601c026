// SPDX-License-Identifier: BSD-3-Clause
// The long-term credential mechanism as a ladder of checks (RFC 8489 section 9.2.4).
#pragma once

#include <optional>

#include "common/turn/service.hpp"

namespace turnpike::turn {

// At most one of the two is set.
struct Denial {
  std::optional<stun::ErrorCode> error;  // 400 and 500 go out plain, 401 and 438 as a challenge
  LookupId lookup = kNoLookup;           // the keys are being looked up: nothing has happened yet

  explicit operator bool() const { return error.has_value() || lookup != kNoLookup; }
};

// On success fills the user in `request`, the key and integrity of request.reply, and refuses nothing. The
// order of the checks:
//   no integrity 401; incomplete 400; nonce not ours 438; password algorithms inconsistent 400; unknown user
//   or realm 401, keys not to be had 500; wrong HMAC 401; nonce genuine but too old 438.
// RFC 8489 has both nonce checks at the end; a forged nonce is refused before any look-up, which costs honest
// clients nothing.
Denial authenticate(Service& service, Request& request);

}  // namespace turnpike::turn
