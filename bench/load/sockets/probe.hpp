// SPDX-License-Identifier: BSD-3-Clause
// The speed test: rates that double until something is lost, and halves of the gap between.
#pragma once

#include "bench/load/bottleneck.hpp"
#include "bench/load/sockets/media_run.hpp"

namespace turnpike::load {

struct ProbeStep {
  std::uint64_t rate = 0;  // packets per second
  Outcome outcome;
  Bottleneck bottleneck;
};

// Which rate comes after these steps; 0: they are enough.
std::uint64_t next_probe_rate(const std::vector<ProbeStep>& steps);
// The last step that held its rate; null when none did.
const ProbeStep* best_of(const std::vector<ProbeStep>& steps);

}  // namespace turnpike::load
