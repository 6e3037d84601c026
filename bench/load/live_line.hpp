// SPDX-License-Identifier: BSD-3-Clause
// The line on standard error that a running measurement writes every second.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/load/latency.hpp"

namespace turnpike::load {

struct Second {
  double at_s = 0;            // its end, since the start
  double length_s = 0;        // about one
  std::uint64_t packets = 0;  // good arrivals
  std::uint64_t bytes = 0;    // their payloads
  std::uint64_t lost = 0;     // so far
};

class LiveLine {
public:
  explicit LiveLine(const LatencyHistograms& latencies) : LiveLine(std::vector{&latencies}) {}
  // Of several who record.
  explicit LiveLine(std::vector<const LatencyHistograms*> latencies);

  // With p99 of what was recorded since the line before.
  void print(const Second& second);

private:
  void add_all(LatencySnapshot& sum) const;

  std::vector<const LatencyHistograms*> latencies_;
  LatencySnapshot before_;
  LatencySnapshot now_;
  LatencySnapshot between_;
};

}  // namespace turnpike::load
