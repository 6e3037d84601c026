// SPDX-License-Identifier: BSD-3-Clause
// Creating, attaching and walking the shared region. Every offset is checked once here; nobody else does
// arithmetic on it.
#pragma once

#include <cstdint>

#include "common/base/result.hpp"
#include "common/shm/abi.hpp"

namespace turnpike::shm {

// Where each section starts for this capacity; total is the size of the region. Pure.
Sections layout(const Capacity& capacity);

// A mapping of the region, owned. The file descriptor stays open so that it can be handed to control.
class Region {
public:
  // Dataplane: a sealed memfd, zeroed, header filled but not published.
  static Result<Region> create(const Capacity& capacity);
  // Control: takes ownership of `fd`. Named outcomes in the error text: too small, not ready, other ABI
  // version, layout that does not match the capacity, capacity beyond the limits.
  static Result<Region> attach(int fd);

  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  ~Region();

  void publish() noexcept;  // R1

  RegionHeader& header() const noexcept { return *static_cast<RegionHeader*>(base_); }
  // The capacity as validated at attach: a header changed later by the other side has no effect on it.
  const Capacity& capacity() const noexcept { return capacity_; }
  int fd() const noexcept { return fd_; }

  // `worker` <= capacity().workers; the last index is the main lcore's.
  WorkerBlock& worker(WorkerIndex worker) const noexcept;
  PortRecord& port(std::uint16_t port) const noexcept;
  AllocationCounters& allocation(WorkerIndex worker, std::uint32_t index) const noexcept;
  OverLimitCounters& over_limit(WorkerIndex worker, std::uint32_t index) const noexcept;
  RingView command_ring(WorkerIndex worker) const noexcept;
  RingView event_ring(WorkerIndex worker) const noexcept;
  LedgerHeader& ledger() const noexcept;
  LedgerView ledger(WorkerIndex worker) const noexcept;  // `worker` < capacity().workers

private:
  Region(void* base, std::uint64_t size, int fd, const Capacity& capacity);
  std::uint8_t* at(std::uint64_t offset) const noexcept { return static_cast<std::uint8_t*>(base_) + offset; }
  std::uint64_t ring_stride() const noexcept;

  void* base_ = nullptr;
  std::uint64_t size_ = 0;
  int fd_ = -1;
  Capacity capacity_;
  Sections sections_;
};

}  // namespace turnpike::shm
