// SPDX-License-Identifier: BSD-3-Clause
// One packet of a thousand is what a run may miss and still have held its rate.
#include "bench/load/bottleneck.hpp"

#include <array>
#include <cstdio>

namespace turnpike::load {
namespace {

constexpr std::uint64_t kTolerance = 1000;

}  // namespace

Bottleneck bottleneck_of(const PacedRun& run) {
  const auto too_many = [&](std::uint64_t packets) { return packets * kTolerance > run.offered; };
  const auto of_offered = [&](std::uint64_t packets) {
    return std::to_string(packets) + " of " + std::to_string(run.offered) + " packets";
  };
  // Its own faults come first: with them, nothing is known of the server.
  if (too_many(run.late + run.refused + run.dropped)) {
    return {"generator", of_offered(run.late + run.refused + run.dropped) + ": " + std::to_string(run.late) +
                             " late, " + std::to_string(run.refused) + " without room in its send buffers, " +
                             std::to_string(run.dropped) + " dropped in its receive buffers"};
  }
  if (too_many(run.blocked)) return {"server", "it did not take " + of_offered(run.blocked) + " in time"};
  if (too_many(run.lost)) return {"server", "lost " + of_offered(run.lost)};
  return {"none", "the rate was held, with less than 0.1 % of loss"};
}

Bottleneck bottleneck_unpaced(double idle) {
  std::array<char, 80> why;
  std::snprintf(why.data(), why.size(), "the generator waited for packets %.1f %% of the time", idle * 100);
  return {idle < kBusy ? "generator" : "server", why.data()};
}

}  // namespace turnpike::load
