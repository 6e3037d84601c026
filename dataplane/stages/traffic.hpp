// SPDX-License-Identifier: BSD-3-Clause
// Counting and limiting relayed payload by allocation, and prefetching what a slot points to.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {

inline void count_to_peer(Lcore& lcore, std::uint32_t allocation, std::uint16_t bytes) noexcept {
  shm::AllocationCounters& counters = lcore.allocation_counters[allocation];
  shm::add_relaxed(counters.to_peer_packets, 1);
  shm::add_relaxed(counters.to_peer_bytes, bytes);
}
inline void count_to_client(Lcore& lcore, std::uint32_t allocation, std::uint16_t bytes) noexcept {
  shm::AllocationCounters& counters = lcore.allocation_counters[allocation];
  shm::add_relaxed(counters.to_client_packets, 1);
  shm::add_relaxed(counters.to_client_bytes, bytes);
}

// The line that count_to_peer() or count_to_client() will write; once the flow itself is there.
inline void prefetch_counters(const Lcore& lcore, const Flow& flow) noexcept {
  rte_prefetch0(&lcore.allocation_counters[flow.allocation]);
}

// Take `bytes` out of the allocation's limit; when they are above it, the packet is dropped and counted.
bool charge_to_peer(Lcore& lcore, rte_mbuf* mbuf, std::uint32_t allocation, std::uint16_t bytes) noexcept;
bool charge_to_client(Lcore& lcore, rte_mbuf* mbuf, std::uint32_t allocation, std::uint16_t bytes) noexcept;

// Whether `bytes` may be relayed on a flow to a peer, and on one to a client. Last before a packet goes out:
// what is dropped for another reason costs nothing.
inline bool within_limit_to_peer(Lcore& lcore, rte_mbuf* mbuf, const Flow& flow,
                                 std::uint16_t bytes) noexcept {
  if (flow.limited == 0) [[likely]]
    return true;
  return charge_to_peer(lcore, mbuf, flow.allocation, bytes);
}
inline bool within_limit_to_client(Lcore& lcore, rte_mbuf* mbuf, const Flow& flow,
                                   std::uint16_t bytes) noexcept {
  if (flow.limited == 0) [[likely]]
    return true;
  return charge_to_client(lcore, mbuf, flow.allocation, bytes);
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
  // Fetches what was found, `flow_of(slot)`, and then the counters that it names.
  template <typename FlowOf>
  void prefetch(const Lcore& lcore, FlowOf&& flow_of) const noexcept {
    for (std::uint16_t i = 0; i < count; ++i) {
      if (slots[i] != kNoSlot) rte_prefetch0(&flow_of(slots[i]));
    }
    for (std::uint16_t i = 0; i < count; ++i) {
      if (slots[i] != kNoSlot) prefetch_counters(lcore, flow_of(slots[i]));
    }
  }
};

}  // namespace turnpike::dataplane
