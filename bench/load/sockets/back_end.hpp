// SPDX-License-Identifier: BSD-3-Clause
// turnpike-load over kernel sockets: no DPDK is started.
#pragma once

#include <atomic>

#include "bench/load/options.hpp"

namespace turnpike::load {

// Sets up, measures (or holds), reports and tears down. An error when it could not, or when arrivals were
// wrong; loss is a result.
Status run_sockets(const Options& options, std::atomic<bool>& stop);

}  // namespace turnpike::load
