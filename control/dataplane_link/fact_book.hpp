// SPDX-License-Identifier: BSD-3-Clause
// The last fact said about every slot of every worker: what the dataplane has now, so that it can be said
// again with another next hop when a route changes.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/types.hpp"
#include "common/shm/commands.hpp"

namespace turnpike::control {

// A table grows as slots come into use; the server hands out low indices first.
template <typename Fact>
class FactTable {
public:
  Fact& at(std::uint32_t index) {
    if (index >= facts_.size()) facts_.resize(index + 1);
    return facts_[index];
  }
  const Fact* find(std::uint32_t index) const { return index < facts_.size() ? &facts_[index] : nullptr; }
  std::vector<Fact>& all() { return facts_; }
  std::size_t size() const { return facts_.size(); }

private:
  std::vector<Fact> facts_;
};

struct KnownAllocation {
  shm::AllocationFact fact;  // generation 0: free
  shm::LinkPath path;        // the way of the client's last request that changed something
};

struct WorkerFacts {
  FactTable<KnownAllocation> allocations;
  FactTable<shm::PermissionFact> permissions;  // generation 0: free
  FactTable<shm::ChannelFact> channels;

  // A permission or channel goes with its allocation without being removed by itself.
  bool is_live(const shm::Slot& allocation) const {
    const KnownAllocation* owner = allocations.find(allocation.index);
    return owner != nullptr && allocation.generation != 0 &&
           owner->fact.allocation.generation == allocation.generation;
  }

  bool is_live(const shm::PermissionFact& fact) const {
    return fact.permission.generation != 0 && is_live(fact.allocation);
  }
  bool is_live(const shm::ChannelFact& fact) const {
    return fact.channel.generation != 0 && is_live(fact.allocation);
  }

  // visit(next hop index) for every live fact.
  template <typename Visit>
  void for_each_next_hop(Visit&& visit) {
    for (const KnownAllocation& known : allocations.all()) {
      if (known.fact.allocation.generation != 0) visit(known.fact.client_next_hop);
    }
    for (const shm::PermissionFact& fact : permissions.all()) {
      if (is_live(fact)) visit(fact.next_hop);
    }
    for (const shm::ChannelFact& fact : channels.all()) {
      if (is_live(fact)) visit(fact.next_hop);
    }
  }
};

using FactBook = std::vector<WorkerFacts>;  // by worker

}  // namespace turnpike::control
