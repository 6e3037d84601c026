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

}  // namespace turnpike
