// SPDX-License-Identifier: BSD-3-Clause
// What a worker counts of its socket calls: always on, one relaxed store each.
#pragma once

#include "common/shm/abi.hpp"

namespace turnpike::dataplane {

class IoCounters {
public:
  explicit IoCounters(shm::WorkerBlock& block) : block_(&block) {}

  void add(shm::Counter counter, std::uint64_t amount = 1) const noexcept {
    shm::add_relaxed(block_->counts.counters[static_cast<std::size_t>(counter)], amount);
  }
  void set(shm::Counter counter, std::uint64_t value) const noexcept {
    block_->counts.counters[static_cast<std::size_t>(counter)].store(value, std::memory_order_relaxed);
  }
  // `first` is the bucket "1"; buckets are 1, 2, 3-4, 5-8, 9-16, 17-32, 33-64.
  void histogram(shm::Counter first, std::uint32_t value) const noexcept {
    if (value == 0) return;
    shm::add_relaxed(block_->counts.counters[static_cast<std::size_t>(first) + shm::bucket_of(value)], 1);
  }
  void drop(shm::DropReason reason, std::uint64_t amount = 1) const noexcept {
    shm::add_relaxed(block_->counts.drops[static_cast<std::size_t>(reason)], amount);
  }

private:
  shm::WorkerBlock* block_;
};

}  // namespace turnpike::dataplane
