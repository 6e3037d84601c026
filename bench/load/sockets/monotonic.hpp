// SPDX-License-Identifier: BSD-3-Clause
// The clock that packets are stamped with.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike::load {

inline std::uint64_t monotonic_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                    std::chrono::nanoseconds(1));
}

}  // namespace turnpike::load
