// SPDX-License-Identifier: BSD-3-Clause
// Many allocations, set up, held and torn down, without media; what they cost the server.
#pragma once

#include <atomic>

#include "bench/load/signalling.hpp"

namespace turnpike::load {

// Resident, of the processes that were named.
struct ServerMemory {
  std::uint64_t before_kib = 0;
  std::uint64_t allocated_kib = 0;  // when all were set up
  std::uint64_t held_kib = 0;       // at the end of the time
};

struct AllocOutcome {
  std::uint32_t allocated = 0;
  std::uint32_t torn_down = 0;
  double setup_seconds = 0;
  double held_seconds = 0;
  double tear_down_seconds = 0;
  ServerMemory memory;
};

Result<AllocOutcome> run_alloc(const Options& options, const std::vector<Session>& sessions,
                               RequestPath& path, Signalling& signalling, std::atomic<bool>& stop);

}  // namespace turnpike::load
