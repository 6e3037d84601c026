// SPDX-License-Identifier: BSD-3-Clause
// Sums and quantiles over the buckets.
#include "bench/load/latency.hpp"

#include <numeric>

namespace turnpike::load {

void LatencySnapshot::add(const LatencyHistogram& histogram) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += histogram.counts_[i];
}

void LatencySnapshot::subtract(const LatencySnapshot& earlier) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] -= earlier.counts_[i];
}

std::uint64_t LatencySnapshot::count() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::uint64_t LatencySnapshot::quantile(std::uint32_t per_mille) const noexcept {
  const std::uint64_t total = count();
  const std::uint64_t wanted = std::max<std::uint64_t>((total * per_mille + 999) / 1000, 1);
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    passed += counts_[i];
    if (passed >= wanted) return LatencyBuckets::highest_in(i);
  }
  return 0;
}

LatencySnapshots snapshots_of(const LatencyHistograms& histograms) {
  LatencySnapshots snapshots;
  for (std::size_t i = 0; i < kDirections; ++i) snapshots[i].add(histograms[i]);
  return snapshots;
}

}  // namespace turnpike::load
