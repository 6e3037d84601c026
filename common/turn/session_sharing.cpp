// SPDX-License-Identifier: BSD-3-Clause
// Who gets a peer's datagram. A relayed address of one allocation leads to that; on a shared relay port the
// peer decides: the channel to exactly this peer, else the only allocation that permits its address.
#include "common/turn/sessions.hpp"

namespace turnpike::turn {

Receiver Sessions::find_receiver(const RelayEndpoint& relay, const PeerEndpoint& peer, Time now) {
  if (peer.address.family != relay.address.family) return {nullptr, nullptr, Receiver::Miss::kNoRelay};
  return config_.multiplex_peer ? find_shared_receiver(relay, peer, now)
                                : find_own_receiver(relay, peer, now);
}

Receiver Sessions::find_own_receiver(const RelayEndpoint& relay, const PeerEndpoint& peer, Time now) {
  const Family family = relay.address.family;
  const auto ref = by_relay_.find(relay_hash(relay), [&](FlatIndex::Ref candidate) {
    return workers_[worker_of(candidate)].allocations[index_of(candidate)].leg(family).own == relay;
  });
  if (ref == FlatIndex::kNone) return {nullptr, nullptr, Receiver::Miss::kNoRelay};
  const Allocation& allocation = workers_[worker_of(ref)].allocations[index_of(ref)];
  if (has_passed(allocation.leg(family).deadline, now)) return {nullptr, nullptr, Receiver::Miss::kNoRelay};
  if (find_permission(allocation, peer.address, now) == nullptr) {
    return {nullptr, nullptr, Receiver::Miss::kNoPermission};
  }
  return {&allocation, find_channel(allocation, peer, now), Receiver::Miss::kNone};
}

Receiver Sessions::find_shared_receiver(const RelayEndpoint& relay, const PeerEndpoint& peer, Time now) {
  const auto is_open = [&](const Allocation& allocation) {
    return !has_passed(allocation.leg(relay.address.family).deadline, now);
  };
  const FlatIndex::Ref bound = find_shared_channel(relay, peer);
  if (bound != FlatIndex::kNone) {
    Worker& owner = workers_[worker_of(bound)];
    const Channel& channel = owner.channels[index_of(bound)];
    const Allocation& allocation = owner.allocations[channel.allocation];
    const bool live = is_open(allocation) && !has_passed(channel.deadline, now);
    if (live && find_permission(allocation, peer.address, now) != nullptr) return {&allocation, &channel, {}};
  }
  const FlatIndex::Ref first = find_shared_permission(relay, peer.address);
  if (first == FlatIndex::kNone) return {nullptr, nullptr, miss_at(relay)};
  Worker& owner = workers_[worker_of(first)];
  const Allocation* only = nullptr;
  for (auto index = index_of(first); index != kNoIndex; index = owner.permissions[index].next_sharer) {
    const Permission& permission = owner.permissions[index];
    const Allocation& allocation = owner.allocations[permission.allocation];
    if (has_passed(permission.deadline, now) || !is_open(allocation)) continue;
    if (only != nullptr) return {nullptr, nullptr, Receiver::Miss::kAmbiguous};
    only = &allocation;
  }
  return {only, nullptr, only != nullptr ? Receiver::Miss::kNone : Receiver::Miss::kNoPermission};
}

Receiver::Miss Sessions::miss_at(const RelayEndpoint& relay) const {
  for (std::uint16_t address = 0; address < config_.relay_addresses.size(); ++address) {
    if (config_.relay_addresses[address].own != relay.address) continue;
    if (shared_ports_.users({address, relay.port}) != 0) return Receiver::Miss::kNoPermission;
  }
  return Receiver::Miss::kNoRelay;
}

bool Sessions::is_peer_taken(const Allocation& allocation, const PeerEndpoint& peer, Step& step) {
  if (!config_.multiplex_peer) return false;
  const RelayEndpoint& relay = allocation.leg(peer.address.family).own;
  const FlatIndex::Ref bound = find_shared_channel(relay, peer);
  if (bound == FlatIndex::kNone) return false;
  Worker& owner = workers_[worker_of(bound)];
  Allocation& holder = owner.allocations[owner.channels[index_of(bound)].allocation];
  if (&holder == &allocation) return false;
  if (expire_legs(holder, step)) return false;
  expire_peers(holder, step);
  return find_shared_channel(relay, peer) != FlatIndex::kNone;
}

FlatIndex::Ref Sessions::find_shared_channel(const RelayEndpoint& relay, const PeerEndpoint& peer) const {
  return shared_channels_.find(peer_hash(relay, peer), [&](FlatIndex::Ref candidate) {
    const Worker& owner = workers_[worker_of(candidate)];
    const Channel& channel = owner.channels[index_of(candidate)];
    return channel.peer == peer &&
           owner.allocations[channel.allocation].leg(peer.address.family).own == relay;
  });
}

FlatIndex::Ref Sessions::find_shared_permission(const RelayEndpoint& relay, const IpAddress& peer) const {
  return shared_permissions_.find(peer_hash(relay, {peer, 0, 0}), [&](FlatIndex::Ref candidate) {
    const Worker& owner = workers_[worker_of(candidate)];
    const Permission& permission = owner.permissions[index_of(candidate)];
    return permission.peer == peer && owner.allocations[permission.allocation].leg(peer.family).own == relay;
  });
}

void Sessions::share(const Allocation& allocation, const Channel& channel, std::uint32_t index) {
  if (!config_.multiplex_peer) return;
  const RelayEndpoint& relay = allocation.leg(channel.peer.address.family).own;
  shared_channels_.insert(peer_hash(relay, channel.peer), reference(allocation.id.worker, index));
}

void Sessions::unshare(const Allocation& allocation, const Channel& channel, std::uint32_t index) {
  if (!config_.multiplex_peer) return;
  const RelayEndpoint& relay = allocation.leg(channel.peer.address.family).own;
  shared_channels_.erase(peer_hash(relay, channel.peer), reference(allocation.id.worker, index));
}

// All sharers of a port are of one worker, so their list is linked by index. The index leads to its first.
void Sessions::share(const Allocation& allocation, Permission& permission, std::uint32_t index) {
  if (!config_.multiplex_peer) return;
  const RelayEndpoint& relay = allocation.leg(permission.peer.family).own;
  auto& permissions = worker(allocation).permissions;
  const FlatIndex::Ref ref = find_shared_permission(relay, permission.peer);
  if (ref == FlatIndex::kNone) {
    shared_permissions_.insert(peer_hash(relay, {permission.peer, 0, 0}),
                               reference(allocation.id.worker, index));
    return;
  }
  Permission& first = permissions[index_of(ref)];
  permission.previous_sharer = index_of(ref);
  permission.next_sharer = first.next_sharer;
  if (first.next_sharer != kNoIndex) permissions[first.next_sharer].previous_sharer = index;
  first.next_sharer = index;
}

void Sessions::unshare(const Allocation& allocation, const Permission& permission, std::uint32_t index) {
  if (!config_.multiplex_peer) return;
  auto& permissions = worker(allocation).permissions;
  const std::uint32_t next = permission.next_sharer;
  const std::uint32_t previous = permission.previous_sharer;
  if (next != kNoIndex) permissions[next].previous_sharer = previous;
  if (previous != kNoIndex) {
    permissions[previous].next_sharer = next;
    return;
  }
  const WorkerIndex worker = allocation.id.worker;
  const std::uint64_t hash = peer_hash(allocation.leg(permission.peer.family).own, {permission.peer, 0, 0});
  shared_permissions_.erase(hash, reference(worker, index));
  if (next != kNoIndex) shared_permissions_.insert(hash, reference(worker, next));
}

}  // namespace turnpike::turn
