// SPDX-License-Identifier: BSD-3-Clause
// Which worker serves a relay port: the one that installed its allocation. That is the owner of the port's
// block (common/base/steering.hpp) except for a reserved port whose token came from a client of another
// worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "common/base/steering.hpp"
#include "common/shm/abi.hpp"
#include "common/shm/commands.hpp"

namespace turnpike::dataplane {

// Shared by all workers. The worker that installs an allocation writes the entries of its ports, everyone
// reads; an entry orders nothing else, so relaxed suffices: control tells a port to nobody before its
// allocation is applied, and gives it to no other worker before its removal is. An entry outlives its
// allocation, which costs one hand-over of a packet that is dropped anyway.
class PortOwners {
public:
  PortOwners() : entries_(static_cast<Entry*>(std::calloc(kEntries, sizeof(Entry)))) {}

  bool ready() const noexcept { return entries_ != nullptr; }
  // `local` < shm::kMaxLocalAddresses, `port` in host order.
  void claim(std::uint16_t local, std::uint16_t port, WorkerIndex worker) noexcept {
    at(local, port).store(static_cast<std::uint8_t>(worker + 1), std::memory_order_relaxed);
  }
  // kNoWorker: the port never had an allocation.
  WorkerIndex find(std::uint16_t local, std::uint16_t port) const noexcept {
    return static_cast<WorkerIndex>(at(local, port).load(std::memory_order_relaxed) - 1);
  }

private:
  using Entry = std::atomic<std::uint8_t>;  // worker + 1
  static_assert(sizeof(Entry) == 1 && Entry::is_always_lock_free && shm::kMaxWorkers < 255);
  static constexpr std::size_t kPorts = 65536;
  static constexpr std::size_t kEntries = shm::kMaxLocalAddresses * kPorts;
  struct Free {
    void operator()(Entry* entries) const noexcept { std::free(entries); }
  };

  Entry& at(std::uint16_t local, std::uint16_t port) const noexcept {
    return entries_.get()[local * kPorts + port];
  }

  std::unique_ptr<Entry, Free> entries_;  // zeroed pages: only those of used addresses take memory
};

}  // namespace turnpike::dataplane
