// SPDX-License-Identifier: BSD-3-Clause
// Counting relayed payload by allocation, and prefetching what a slot points to.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {

inline void count_to_peer(Lcore& lcore, std::uint32_t allocation, std::uint16_t bytes) noexcept {
  shm::AllocationCounters& counters = lcore.region->allocation(lcore.index, allocation);
  shm::add_relaxed(counters.to_peer_packets, 1);
  shm::add_relaxed(counters.to_peer_bytes, bytes);
}
inline void count_to_client(Lcore& lcore, std::uint32_t allocation, std::uint16_t bytes) noexcept {
  shm::AllocationCounters& counters = lcore.region->allocation(lcore.index, allocation);
  shm::add_relaxed(counters.to_client_packets, 1);
  shm::add_relaxed(counters.to_client_bytes, bytes);
}

// Keys of one group looked up together; the slots stand beside the packets.
struct Lookup {
  std::uint16_t count = 0;
  std::array<Packet*, kBurst> packets;
  std::array<const FlowKey*, kBurst> keys;
  std::array<std::uint32_t, kBurst> slots;

  void push(Packet& packet, const FlowKey& key) noexcept {
    packets[count] = &packet;
    keys[count++] = &key;
  }
  void run(const Tables& tables) noexcept { tables.find_bulk({keys.data(), count}, slots.data()); }
};

}  // namespace turnpike::dataplane
