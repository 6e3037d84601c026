// SPDX-License-Identifier: BSD-3-Clause
// Drop reasons and counters expanded from their tables, and the block in shared memory that a worker writes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <string_view>

#include "common/base/types.hpp"

namespace turnpike::shm {

enum class DropReason : std::uint16_t {
#define DROP_REASON(name, text) k_##name,
#include "common/shm/drop_reasons.def"
#undef DROP_REASON
  kCount
};

enum class Counter : std::uint16_t {
#define COUNTER(name, text) k_##name,
#include "common/shm/counters.def"
#undef COUNTER
  kCount
};

inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::kCount);
inline constexpr std::size_t kCounters = static_cast<std::size_t>(Counter::kCount);

struct TableEntry {
  std::string_view name;
  std::string_view text;
};
inline constexpr std::array<TableEntry, kDropReasons> kDropReasonTable{{
#define DROP_REASON(name, text) {#name, text},
#include "common/shm/drop_reasons.def"
#undef DROP_REASON
}};
inline constexpr std::array<TableEntry, kCounters> kCounterTable{{
#define COUNTER(name, text) {#name, text},
#include "common/shm/counters.def"
#undef COUNTER
}};

using SharedCounter = std::atomic<std::uint64_t>;
static_assert(SharedCounter::is_always_lock_free && sizeof(SharedCounter) == 8);

// Single writer, so load + store instead of a locked add; readers may be one update behind.
inline void add_relaxed(SharedCounter& counter, std::uint64_t amount) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

// A high-water mark.
inline void raise_relaxed(SharedCounter& mark, std::uint64_t level) noexcept {
  if (level > mark.load(std::memory_order_relaxed)) mark.store(level, std::memory_order_relaxed);
}

// Which of seven buckets a positive number is in: 1, 2, 3-4, 5-8, 9-16, 17-32, 33 and more.
inline std::size_t bucket_of(std::uint32_t value) noexcept {
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(value - 1)), 6);
}

// Written by one worker, read by control at any time.
struct alignas(kIsolation) WorkerCounters {
  std::array<SharedCounter, kCounters> counters;
  std::array<SharedCounter, kDropReasons> drops;
};

// Live traffic of one allocation: payload bytes without any header. Two share a line; both belong to one
// worker.
struct alignas(32) AllocationCounters {
  SharedCounter to_peer_packets;    // worker: rw, control: ro
  SharedCounter to_peer_bytes;      // worker: rw, control: ro
  SharedCounter to_client_packets;  // worker: rw, control: ro
  SharedCounter to_client_bytes;    // worker: rw, control: ro
};
static_assert(sizeof(AllocationCounters) == 32);

// What an allocation lost to its bandwidth limit. Apart from the live traffic: only allocations with a limit
// ever touch it.
struct OverLimitCounters {
  SharedCounter to_peer_packets;    // worker: rw, control: ro
  SharedCounter to_client_packets;  // worker: rw, control: ro
};
static_assert(sizeof(OverLimitCounters) == 16);

}  // namespace turnpike::shm
