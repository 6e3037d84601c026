// SPDX-License-Identifier: BSD-3-Clause
// The service manager's watchdog: fed by main, and only while every worker turns its loop. Main lcore only.
#pragma once

#include <cstdint>

#include "common/process/notify.hpp"
#include "common/shm/region.hpp"

namespace turnpike::dataplane {

class Watchdog {
public:
  Watchdog(process::Notifier& notifier, const shm::Region& region) : notifier_(notifier), region_(region) {}

  // About once a second. Says which worker stands still when it begins to.
  void tick(std::uint64_t now_ns);

private:
  process::Notifier& notifier_;
  const shm::Region& region_;
  bool complained_ = false;
};

}  // namespace turnpike::dataplane
