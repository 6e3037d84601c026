// SPDX-License-Identifier: BSD-3-Clause
// Latencies as a log-linear histogram of fixed size: every figure read from it is at most 0.1 % too high.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "bench/load/count.hpp"
#include "bench/load/payload.hpp"

namespace turnpike::load {

// Nanoseconds below 2 * kSteps have buckets of their own; above, every doubling is cut into kSteps of them.
class LatencyBuckets {
public:
  static constexpr std::uint64_t kSteps = 1024;
  static constexpr std::uint64_t kMax = (std::uint64_t{1} << 34) - 1;  // 17 s; what is later counts as this

  static constexpr std::size_t index_of(std::uint64_t ns) noexcept {
    ns = std::min(ns, kMax);
    if (ns < 2 * kSteps) return ns;
    const int shift = std::bit_width(ns) - std::bit_width(2 * kSteps - 1);
    return static_cast<std::size_t>(shift) * kSteps + (ns >> shift);
  }
  // The highest one in the bucket.
  static constexpr std::uint64_t highest_in(std::size_t index) noexcept {
    if (index < 2 * kSteps) return index;
    const std::uint64_t shift = index / kSteps - 1;
    return ((index - shift * kSteps + 1) << shift) - 1;
  }
};
inline constexpr std::size_t kLatencyBuckets = LatencyBuckets::index_of(LatencyBuckets::kMax) + 1;

// One thread records, others may read meanwhile.
class LatencyHistogram {
public:
  void record(std::uint64_t ns) noexcept { ++counts_[LatencyBuckets::index_of(ns)]; }

private:
  friend class LatencySnapshot;
  std::vector<Count> counts_ = std::vector<Count>(kLatencyBuckets);
};
using LatencyHistograms = std::array<LatencyHistogram, kDirections>;

// What had been recorded at one moment, or between two. Only making one allocates.
class LatencySnapshot {
public:
  void clear() noexcept { std::fill(counts_.begin(), counts_.end(), 0); }
  void add(const LatencyHistogram& histogram) noexcept;
  void subtract(const LatencySnapshot& earlier) noexcept;

  std::uint64_t count() const noexcept;
  // In ns: so many of 1000 latencies are not above it; 1000 gives the highest, 0 the lowest. 0 when there are
  // none.
  std::uint64_t quantile(std::uint32_t per_mille) const noexcept;

private:
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kLatencyBuckets);
};
using LatencySnapshots = std::array<LatencySnapshot, kDirections>;

LatencySnapshots snapshots_of(const LatencyHistograms& histograms);

}  // namespace turnpike::load
