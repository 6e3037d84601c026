// SPDX-License-Identifier: BSD-3-Clause
// Many allocations, set up, held and torn down, without media.
#pragma once

#include <atomic>

#include "bench/load/signalling.hpp"

namespace turnpike::load {

struct HoldOutcome {
  std::uint32_t allocated = 0;
  std::uint32_t torn_down = 0;
  double setup_seconds = 0;
  double held_seconds = 0;
  double tear_down_seconds = 0;
};

Result<HoldOutcome> hold(const Options& options, const std::vector<Session>& sessions, Signalling& signalling,
                         std::atomic<bool>& stop);

}  // namespace turnpike::load
