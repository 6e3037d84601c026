// SPDX-License-Identifier: BSD-3-Clause
// How many requests of clients without an allocation are served.
#pragma once

#include <cstdint>

namespace turnpike::dataplane {

// Per second; 0: no limit.
struct RequestLimits {
  std::uint32_t per_source = 0;  // an IPv4 address, an IPv6 /64
  std::uint32_t of_all = 0;      // of all workers together
};

}  // namespace turnpike::dataplane
