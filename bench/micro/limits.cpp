// SPDX-License-Identifier: BSD-3-Clause
// The limit on flows, from --max-flows or from /proc/meminfo.
#include "bench/micro/limits.hpp"

#include <algorithm>
#include <fstream>
#include <string>

namespace turnpike::bench {
namespace {

std::int64_t limit = kMostFlows;
bool limited_by_user = false;

std::uint64_t available_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  while (meminfo >> name >> kib) {
    if (name == "MemAvailable:") return kib << 10;
    meminfo.ignore(80, '\n');
  }
  return 0;
}

}  // namespace

void limit_flows(std::int64_t wanted) {
  limited_by_user = wanted != 0;
  const auto fitting = static_cast<std::int64_t>(available_bytes() / 2 / kBytesPerFlow);
  limit = std::min(limited_by_user ? wanted : fitting, kMostFlows);
}

std::int64_t flow_limit() { return limit; }

bool flows_fit(benchmark::State& state, std::int64_t flows) {
  if (flows <= limit) return true;
  const std::uint64_t needed = static_cast<std::uint64_t>(flows) * kBytesPerFlow * 2;
  const std::string why = limited_by_user
                              ? "skipped: more than --max-flows " + std::to_string(limit)
                              : "skipped: needs " + std::to_string(needed >> 20) + " MiB of available memory";
  state.SkipWithError(why.c_str());
  return false;
}

}  // namespace turnpike::bench
