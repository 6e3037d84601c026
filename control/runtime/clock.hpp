// SPDX-License-Identifier: BSD-3-Clause
// The clock of deadlines: CLOCK_MONOTONIC, as the dataplane reads it.
#pragma once

#include <chrono>

#include "common/base/time.hpp"

namespace turnpike::control {

inline Time monotonic_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace turnpike::control
