// SPDX-License-Identifier: BSD-3-Clause
// --mode ndr on a port.
#pragma once

#include "bench/load/ndr.hpp"
#include "bench/load/traffic.hpp"

namespace turnpike::load {

// An error when the other side went away.
Result<Json> find_port_ndr(const Options& options, Traffic& traffic, const std::atomic<bool>& stop);

}  // namespace turnpike::load
