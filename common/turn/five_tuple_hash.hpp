// SPDX-License-Identifier: BSD-3-Clause
// Seeded hash of the 5-tuple.
#pragma once

#include "common/turn/effects.hpp"

namespace turnpike::turn {

inline std::uint64_t hash_value(const FiveTuple& tuple, std::uint64_t seed) noexcept {
  const std::uint64_t client = wire::hash_value(tuple.client, seed);
  return wire::hash_value(tuple.server, client ^ static_cast<std::uint64_t>(tuple.transport) << 32);
}

}  // namespace turnpike::turn
