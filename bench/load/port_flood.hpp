// SPDX-License-Identifier: BSD-3-Clause
// A flood out of frames: as fast as a port takes them, and from whatever addresses.
#pragma once

#include <atomic>

#include "bench/load/flood_outcome.hpp"
#include "bench/load/port.hpp"

namespace turnpike::load {

Result<FloodOutcome> run_port_flood(Port& port, const Options& options, const std::atomic<bool>& stop);

}  // namespace turnpike::load
