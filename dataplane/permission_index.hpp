// SPDX-License-Identifier: BSD-3-Clause
// The permission of a given allocation for a peer's address, where the address and the relayed endpoint lead
// to those of several allocations. Chains through an array beside the records; the inbox writes, the stages
// read.
#pragma once

#include <bit>
#include <cstring>

#include "dataplane/flow.hpp"
#include "dataplane/huge_memory.hpp"
#include "dataplane/slot_lists.hpp"

namespace turnpike::dataplane {

class PermissionIndex {
public:
  // `seed` is secret: clients choose their peers.
  void prepare(std::uint32_t permissions, std::uint64_t seed, int node) {
    seed_ = seed;
    buckets_ =
        HugeVector<std::uint32_t>(std::bit_ceil(permissions + std::uint64_t{1}), kNoSlot, Allocator(node));
    next_ = HugeVector<std::uint32_t>(permissions, kNoSlot, Allocator(node));
  }

  template <typename Matches>  // bool matches(slot): is that the allocation's record of this key?
  std::uint32_t find(std::uint32_t allocation, const FlowKey& key, Matches&& matches) const noexcept {
    std::uint32_t slot = buckets_[bucket(allocation, key)];
    while (slot != kNoSlot && !matches(slot)) slot = next_[slot];
    return slot;
  }
  void insert(std::uint32_t allocation, const FlowKey& key, std::uint32_t slot) noexcept {
    std::uint32_t& first = buckets_[bucket(allocation, key)];
    next_[slot] = first;
    first = slot;
  }
  void erase(std::uint32_t allocation, const FlowKey& key, std::uint32_t slot) noexcept {
    std::uint32_t* link = &buckets_[bucket(allocation, key)];
    while (*link != kNoSlot && *link != slot) link = &next_[*link];
    if (*link == slot) *link = next_[slot];
    next_[slot] = kNoSlot;
  }
  void clear() noexcept {
    for (auto* slots : {&buckets_, &next_}) std::fill(slots->begin(), slots->end(), kNoSlot);
  }

private:
  using Allocator = HugeAllocator<std::uint32_t>;

  std::size_t bucket(std::uint32_t allocation, const FlowKey& key) const noexcept {
    std::uint64_t words[2];
    std::memcpy(words, key.remote.data(), sizeof words);
    return wire::mix(wire::mix(wire::mix(seed_ ^ words[0]) + words[1]) + allocation) & (buckets_.size() - 1);
  }

  std::uint64_t seed_ = 0;
  HugeVector<std::uint32_t> buckets_;  // a power of two
  HugeVector<std::uint32_t> next_;     // by slot
};

}  // namespace turnpike::dataplane
