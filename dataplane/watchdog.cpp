// SPDX-License-Identifier: BSD-3-Clause
// Heartbeats against the clock.
#include "dataplane/watchdog.hpp"

#include <optional>
#include <string>

#include "dataplane/log.hpp"

namespace turnpike::dataplane {
namespace {

// Longer than any pass, and than a worker's sleep on sockets.
constexpr std::uint64_t kStillNs = 2'000'000'000;

std::optional<std::uint32_t> still_worker(const shm::Region& region, std::uint64_t now_ns) {
  for (std::uint32_t i = 0; i < region.capacity().workers; ++i) {
    const std::uint64_t beat =
        region.worker(static_cast<WorkerIndex>(i)).heartbeat_ns.load(std::memory_order_relaxed);
    if (now_ns > beat && now_ns - beat > kStillNs) return i;
  }
  return std::nullopt;
}

}  // namespace

void Watchdog::tick(std::uint64_t now_ns) {
  const auto still = still_worker(region_, now_ns);
  if (!still) {
    complained_ = false;
    notifier_.alive();
    return;
  }
  if (complained_) return;
  complained_ = true;
  const std::string text = "worker " + std::to_string(*still) + " stands still; is its CPU taken away?";
  log_line(text);
  notifier_.status(text);
}

}  // namespace turnpike::dataplane
