// SPDX-License-Identifier: BSD-3-Clause
// Which worker owns which relay port: the range is cut into one contiguous block per worker. The dataplane
// steers by these functions and the TURN server picks ports by them, so that both sides of an allocation meet
// on one worker.
#pragma once

#include <cstdint>

#include "common/base/types.hpp"

namespace turnpike {

struct PortRange {
  std::uint16_t first = 1;  // first > last: empty
  std::uint16_t last = 0;

  constexpr bool empty() const noexcept { return first > last; }
  constexpr std::uint32_t size() const noexcept { return empty() ? 0 : std::uint32_t{last} - first + 1; }
  constexpr bool contains(std::uint16_t port) const noexcept { return first <= port && port <= last; }
  friend constexpr bool operator==(const PortRange&, const PortRange&) noexcept = default;
};

inline constexpr WorkerIndex kNoWorker = 0xFFFF;

// The range is counted in pairs (2k, 2k+1), so that an even port and its successor (RFC 8656 EVEN-PORT)
// always have one owner. Pair p of P belongs to worker w of W when w*P/W <= p < (w+1)*P/W.
constexpr std::uint32_t port_pair_count(std::uint16_t min, std::uint16_t max) noexcept {
  return min > max ? 0 : std::uint32_t{max} / 2 - min / 2 + 1;
}

// Empty when there are fewer pairs than workers and this one got none.
constexpr PortRange worker_ports(WorkerIndex worker, WorkerIndex workers, std::uint16_t min,
                                 std::uint16_t max) noexcept {
  const std::uint64_t pairs = port_pair_count(min, max);
  if (worker >= workers || pairs == 0) return {};
  const std::uint64_t begin = min / 2 + pairs * worker / workers;
  const std::uint64_t end = min / 2 + pairs * (worker + 1u) / workers;
  if (begin == end) return {};
  const std::uint64_t first = 2 * begin;
  const std::uint64_t last = 2 * end - 1;
  return {static_cast<std::uint16_t>(first < min ? min : first),
          static_cast<std::uint16_t>(last > max ? max : last)};
}

// kNoWorker for a port outside the range.
constexpr WorkerIndex owner_of_port(std::uint16_t port, WorkerIndex workers, std::uint16_t min,
                                    std::uint16_t max) noexcept {
  if (port < min || port > max || workers == 0) return kNoWorker;
  const std::uint64_t pair = port / 2 - min / 2;
  return static_cast<WorkerIndex>(((pair + 1) * workers - 1) / port_pair_count(min, max));
}

}  // namespace turnpike
