// SPDX-License-Identifier: BSD-3-Clause
// Messages that no server should be impressed by, at a rate or as fast as they go, and what comes back.
#pragma once

#include <atomic>

#include "bench/load/flood_outcome.hpp"

namespace turnpike::load {

Result<FloodOutcome> run_flood(const Options& options, const std::atomic<bool>& stop);

}  // namespace turnpike::load
