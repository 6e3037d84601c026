// SPDX-License-Identifier: BSD-3-Clause
// --mode ndr on a port: trials, steps, and what came of them.
#pragma once

#include <atomic>

#include "bench/load/result.hpp"
#include "bench/load/traffic.hpp"

namespace turnpike::load {

// Every step is told on standard error. An error when the other side went away.
Result<Json> find_ndr(const Options& options, Traffic& traffic, const std::atomic<bool>& stop);

}  // namespace turnpike::load
