// SPDX-License-Identifier: BSD-3-Clause
// --mode ndr, on ports and over sockets alike: trials of each rate, what passes, and what came of it.
#pragma once

#include <atomic>
#include <functional>

#include "bench/load/bottleneck.hpp"
#include "bench/load/options.hpp"
#include "bench/load/result.hpp"

namespace turnpike::load {

// One rate, once.
struct NdrTrial {
  PacedRun packets;
  std::uint64_t sent = 0;
  double loss() const;  // of what was sent, in percent
};

// Who kept the trial from passing: none when all but a thousandth of the rate was offered, taken and looked
// at, and at most --max-loss percent lost.
Bottleneck limit_of(const Options& options, const NdrTrial& trial);

// Every trial is told on standard error. An error is the trial's, or that `stop` came.
using RunNdrTrial = std::function<Result<NdrTrial>(std::uint64_t rate)>;
Result<Json> find_ndr(const Options& options, const RunNdrTrial& run, const std::atomic<bool>& stop);

}  // namespace turnpike::load
