// SPDX-License-Identifier: BSD-3-Clause
// Time as nanoseconds of CLOCK_MONOTONIC, which both processes of one host share. Nothing here reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace turnpike {

using Time = std::chrono::nanoseconds;  // since the epoch of CLOCK_MONOTONIC
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Time kNever = Time::max();

// What stands in shared memory, whatever it is.
constexpr Time time_of(std::uint64_t nanoseconds) {
  return Time{static_cast<std::int64_t>(nanoseconds & (~std::uint64_t{0} >> 1))};
}

}  // namespace turnpike
