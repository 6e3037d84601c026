// SPDX-License-Identifier: BSD-3-Clause
// The lifetime of an allocation (RFC 8656 sections 7.2 and 8.2).
#pragma once

#include <algorithm>
#include <optional>

#include "common/turn/config.hpp"

namespace turnpike::turn {

// The default, or more when the client asks for more, up to the maximum. Zero in a Refresh never comes here.
inline seconds granted_lifetime(const Config& config, std::optional<std::uint32_t> requested) {
  const seconds wish = requested ? seconds(*requested) : config.default_lifetime;
  return std::max(config.default_lifetime, std::min(wish, config.max_lifetime));
}

}  // namespace turnpike::turn
