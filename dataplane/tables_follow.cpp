// SPDX-License-Identifier: BSD-3-Clause
// What permissions and channels have from their allocation: no longer life, the way to the client, whether a
// bandwidth limit counts.
#include <algorithm>

#include "dataplane/tables.hpp"

namespace turnpike::dataplane {

// Permissions and channels never outlive their allocation, even when nobody removes them: the earlier
// deadline counts. The facts keep their own deadlines, so that refreshing the allocation alone lets them live
// on. Whether a bandwidth limit counts stands in every flow, where the packet path looks anyway.
void Tables::follow(const PermissionRecord& permission, std::uint64_t allocation_deadline_ns) noexcept {
  Flow& flow = permissions_[permission.fact.permission.index];
  flow.deadline = deadline_tick(std::min(permission.fact.deadline_ns, allocation_deadline_ns));
  flow.limited = allocations_[permission.fact.allocation.index].limited;
}

void Tables::follow(const ChannelRecord& channel, std::uint64_t allocation_deadline_ns) noexcept {
  ChannelFlows& flows = channels_[channel.fact.channel.index];
  const std::uint64_t deadline_ns = std::min(channel.fact.deadline_ns, allocation_deadline_ns);
  flows.to_peer.deadline = deadline_tick(deadline_ns);
  // RFC 8656 sections 9 and 12.7: towards the client both the permission and the channel have to live.
  flows.to_client.deadline = deadline_tick(std::min(deadline_ns, channel.fact.permission_deadline_ns));
  const Flow& allocation = allocations_[channel.fact.allocation.index];
  flows.to_client.next_hop = allocation.next_hop;
  flows.to_peer.limited = flows.to_client.limited = allocation.limited;
}

void Tables::follow(const AllocationRecord& allocation) noexcept {
  const std::uint64_t deadline_ns = allocation.fact.deadline_ns;
  const std::uint32_t slot = allocation.fact.allocation.index;
  allocations_[slot].deadline = deadline_tick(deadline_ns);
  allocations_[slot].limited = allocation.fact.max_bps != 0 ? 1 : 0;
  bandwidths_[slot].limit(allocation.fact.max_bps);
  for (std::uint32_t i = allocation.first_permission; i != kNoSlot; i = permission_records_[i].links.next) {
    follow(permission_records_[i], deadline_ns);
  }
  for (std::uint32_t i = allocation.first_channel; i != kNoSlot; i = channel_records_[i].links.next) {
    follow(channel_records_[i], deadline_ns);
  }
}

}  // namespace turnpike::dataplane
