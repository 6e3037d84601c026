// SPDX-License-Identifier: BSD-3-Clause
// What is derived from the region's counters over time: packet rates, and errors that are new.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/shm/region.hpp"

namespace turnpike::control {

class Statistics {
public:
  struct Rates {
    double rx_pps = 0;
    double tx_pps = 0;
  };

  explicit Statistics(const shm::Region& region);

  // The region has become another one, of the same capacity: its counters begin anew.
  void restart();
  // About once a second: takes a sample and logs distinct errors that are new or went on for a minute.
  void tick(Time now);
  // Every 10 s: how full the receive and send calls of socket ports were since the last time.
  void log_io(Time now);
  // Over the last tick; of the main lcore too (the last one).
  const Rates& rates(WorkerIndex worker) const { return samples_[worker].rates; }

private:
  struct Sample {
    std::uint64_t rx = 0;
    std::uint64_t tx = 0;
    Rates rates;
    std::array<std::uint64_t, shm::kErrorRecords> logged{};  // count at the last log line
    std::array<Time, shm::kErrorRecords> logged_at{};
  };
  struct Io {
    std::uint64_t rx_calls = 0;
    std::uint64_t rx_datagrams = 0;
    std::uint64_t tx_calls = 0;
    std::uint64_t tx_messages = 0;
    std::uint64_t tx_datagrams = 0;
  };
  Io io_of(WorkerIndex worker) const;
  void log_errors(WorkerIndex worker, Time now);

  const shm::Region& region_;
  std::vector<Sample> samples_;
  Time last_{};
  std::vector<Io> io_;
  Time io_logged_{};
};

}  // namespace turnpike::control
