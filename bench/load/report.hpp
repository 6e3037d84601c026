// SPDX-License-Identifier: BSD-3-Clause
// What the operator reads.
#pragma once

#include "bench/load/live_line.hpp"
#include "bench/load/media.hpp"
#include "bench/load/signalling.hpp"
#include "bench/load/traffic.hpp"

namespace turnpike::load {

void print_second(LiveLine& line, const Options& options, const Arrivals& arrivals, const Sample& before,
                  const Sample& now);
void print_measured(const Options& options, const Traffic& traffic, const Arrivals& arrivals,
                    const Signalling& signalling, double set_up_seconds);

}  // namespace turnpike::load
