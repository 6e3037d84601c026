// SPDX-License-Identifier: BSD-3-Clause
// The order of the rates.
#include "bench/load/sockets/probe.hpp"

#include <algorithm>

namespace turnpike::load {
namespace {

constexpr std::uint64_t kFirstRate = 10'000;
constexpr std::uint64_t kLeastRate = 100;
constexpr double kFinestStep = 1.1;
constexpr std::size_t kMaxSteps = 16;

bool held(const ProbeStep& step) { return step.bottleneck.who == "none"; }

}  // namespace

std::uint64_t next_probe_rate(const std::vector<ProbeStep>& steps) {
  if (steps.size() == kMaxSteps) return 0;
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  for (const ProbeStep& step : steps) {
    if (held(step)) {
      good = std::max(good, step.rate);
    } else if (bad == 0 || step.rate < bad) {
      bad = step.rate;
    }
  }
  if (bad == 0) return good == 0 ? kFirstRate : 2 * good;
  if (good == 0) return bad / 2 < kLeastRate ? 0 : bad / 2;
  const bool close = static_cast<double>(bad) < kFinestStep * static_cast<double>(good);
  return close || bad < good ? 0 : (good + bad) / 2;
}

const ProbeStep* best_of(const std::vector<ProbeStep>& steps) {
  const ProbeStep* best = nullptr;
  for (const ProbeStep& step : steps) {
    if (held(step) && (best == nullptr || step.rate > best->rate)) best = &step;
  }
  return best;
}

}  // namespace turnpike::load
