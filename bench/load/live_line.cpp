// SPDX-License-Identifier: BSD-3-Clause
// One second's figures.
#include "bench/load/live_line.hpp"

#include <cinttypes>
#include <cstdio>
#include <utility>

namespace turnpike::load {

LiveLine::LiveLine(std::vector<const LatencyHistograms*> latencies) : latencies_(std::move(latencies)) {
  add_all(before_);
}

void LiveLine::add_all(LatencySnapshot& sum) const {
  for (const LatencyHistograms* histograms : latencies_) {
    for (const LatencyHistogram& histogram : *histograms) sum.add(histogram);
  }
}

void LiveLine::print(const Second& second) {
  now_.clear();
  add_all(now_);
  between_ = now_;
  between_.subtract(before_);
  std::swap(before_, now_);
  std::fprintf(stderr, "%5.0f s  %9.0f pps  %8.1f Mbit/s  lost %" PRIu64 "  p99 %.1f us\n", second.at_s,
               static_cast<double>(second.packets) / second.length_s,
               static_cast<double>(second.bytes) * 8 / second.length_s / 1e6, second.lost,
               static_cast<double>(between_.quantile(990)) / 1e3);
}

}  // namespace turnpike::load
