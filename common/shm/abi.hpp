// SPDX-License-Identifier: BSD-3-Clause
// The shared region: what lies where. The dataplane creates it, publishes the header last, and hands it to
// control.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/shm/commands.hpp"
#include "common/shm/counters.hpp"
#include "common/shm/distinct_errors.hpp"
#include "common/shm/events.hpp"
#include "common/shm/ledger.hpp"
#include "common/shm/spsc_ring.hpp"

namespace turnpike::shm {

inline constexpr std::uint64_t kMagic = 0x65'6b'69'70'6e'72'75'74;  // "turnpike"
inline constexpr std::uint32_t kAbiVersion = 9;

inline constexpr std::uint32_t kMaxWorkers = 64;
inline constexpr std::uint32_t kMaxPorts = 32;
inline constexpr std::uint64_t kMaxRegionSize = std::uint64_t{1}
                                                << 40;  // sparse: most of it is never touched

enum class PortKind : std::uint16_t { kNone, kPci, kXdp, kMemif, kVhost, kVdev, kSocket };

// One port of the dataplane. Written by the main lcore, read by control after kPortChanged or at attach;
// every field is its own atomic, so that a reader sees old or new values, never torn ones.
struct alignas(kIsolation) PortRecord {
  std::atomic<std::uint32_t> kind;     // PortKind
  std::atomic<std::uint32_t> link_up;  // 0 or 1
  std::atomic<std::uint32_t> mtu;      // IP bytes that fit a frame
  std::atomic<std::uint32_t> ifindex;  // kernel netdev (the device itself for xdp, else the twin); 0: none
  std::atomic<std::uint64_t> mac;      // six bytes, first byte lowest
  std::atomic<std::uint32_t> rx_queues;
  std::atomic<std::uint32_t> tx_queues;
  std::array<char, 64> name;  // as given to --port; fixed before the header is published
};
static_assert(sizeof(PortRecord) == 128);

// Per worker, and the main lcore's. Written by that lcore only, but for control_asleep.
struct alignas(kIsolation) WorkerBlock {
  std::atomic<std::uint64_t>
      applied_seq;  // W1: stored with release after a fact took effect; control loads with acquire
  std::atomic<std::uint64_t> heartbeat_ns;
  std::atomic<std::uint64_t> max_loop_ns;
  // 1 while the worker sleeps in epoll (socket ports). As RegionHeader's wake-up, but only its worker writes
  // it: whoever reads 1 writes the eventfd.
  std::atomic<std::uint32_t> asleep;
  std::array<std::uint8_t, kIsolation - 28> padding;
  // 1 while the thread of control that takes this lcore's events sleeps: RegionHeader's wake-up, each ring
  // with an eventfd of its own. Apart from the lcore's line: control writes here whenever it goes to sleep.
  alignas(kIsolation) std::atomic<std::uint32_t> control_asleep;
  WorkerCounters counts;
  ErrorRecords errors;
};
static_assert(sizeof(WorkerBlock) % kIsolation == 0);

struct Capacity {
  std::uint32_t workers = 1;
  std::uint32_t allocations = 0;  // per worker, like the next two
  std::uint32_t permissions = 0;
  std::uint32_t channels = 0;
  std::uint32_t command_cells = 0;  // per ring, power of two
  std::uint32_t event_cells = 0;

  friend bool operator==(const Capacity&, const Capacity&) noexcept = default;
};

// Byte offsets from the start of the region, each aligned to kIsolation.
struct Sections {
  std::uint64_t ports = 0;                // PortRecord[kMaxPorts]
  std::uint64_t workers = 0;              // WorkerBlock[workers + 1]; the last one is the main lcore's
  std::uint64_t allocation_counters = 0;  // AllocationCounters[workers][allocations]
  std::uint64_t over_limit = 0;           // OverLimitCounters[workers][allocations]
  std::uint64_t rings = 0;   // (workers + 1) × {command indices, event indices, command cells, event cells}
  std::uint64_t ledger = 0;  // LedgerHeader, then of each worker: LedgerWorker and its tables
  std::uint64_t total = 0;
};

// First page of the region. Control reads nothing else before `ready` says kReady.
struct alignas(kIsolation) RegionHeader {
  // R1: the dataplane stores ready with release after everything else; R2: control loads it with acquire
  // first.
  std::atomic<std::uint64_t> ready;  // kMagic when complete
  std::uint32_t abi_version;
  std::uint32_t port_count;
  std::uint64_t start_ns;    // CLOCK_MONOTONIC at creation
  std::uint64_t generation;  // random per start: a restarted dataplane is another one
  std::uint32_t pid;
  std::uint32_t reserved;
  Capacity capacity;
  Sections sections;
  std::array<char, 32> version;  // of the program, for messages

  // Wake-up: the sleeper stores 1, fences (seq_cst), looks at its rings once more and sleeps; a producer
  // publishes, fences (seq_cst), and on 1 exchanges it for 0 and writes the eventfd. One of the two always
  // sees the other.
  // So it is done with main_asleep and with every WorkerBlock's control_asleep. A thread of control stores 1
  // in all its rings' before its one fence.
  alignas(kIsolation) std::atomic<std::uint32_t> main_asleep;
};
static_assert(sizeof(RegionHeader) <= 4096);

}  // namespace turnpike::shm
