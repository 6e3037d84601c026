// SPDX-License-Identifier: BSD-3-Clause
// Session tables: facts become keys, flows and lists; look-ups for the stages.
#include "dataplane/tables.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "dataplane/header_template.hpp"

namespace turnpike::dataplane {
namespace {

constexpr std::size_t kV4 = 0;  // the IPv4 relay's place in what is kept for both families; 1 is IPv6's

// So many sharers of a key are looked at for the only live one. Control removes what has expired within a
// tick of its timers; while it is away the packet path must not pay for what piles up.
constexpr int kMaxSharersSeen = 64;

bool valid(const shm::Slot& slot, std::size_t capacity) noexcept {
  return slot.index < capacity && slot.generation != 0;
}

bool same_client(const shm::AllocationFact& a, const shm::AllocationFact& b) noexcept {
  return a.client == b.client && a.server == b.server &&
         (a.client_next_hop == kToControl) == (b.client_next_hop == kToControl);
}

bool same_relays(const shm::AllocationFact& a, const shm::AllocationFact& b) noexcept {
  return a.relay_v4 == b.relay_v4 && a.relay_v6 == b.relay_v6;
}

const wire::Endpoint& relay_of(const shm::AllocationFact& fact, std::size_t family) noexcept {
  return family == kV4 ? fact.relay_v4 : fact.relay_v6;
}

// Whether `relay` is a relayed address of the allocation.
bool is_of(const shm::AllocationFact& fact, const wire::Endpoint& relay) noexcept {
  return relay.address.family != wire::Family::kNone && (relay == fact.relay_v4 || relay == fact.relay_v6);
}

// Client, both relays, permissions, channels both ways.
std::uint64_t key_count(const shm::Capacity& capacity) {
  return 3 * std::uint64_t{capacity.allocations} + capacity.permissions +
         2 * std::uint64_t{capacity.channels};
}

}  // namespace

Result<std::unique_ptr<Tables>> Tables::create(const shm::Capacity& capacity, int socket_id) {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
    return Error{"getrandom: " + std::string(std::strerror(errno))};
  try {
    return std::unique_ptr<Tables>(new Tables(capacity, socket_id, seed));
  } catch (const std::bad_alloc&) {
    return Error{"no memory for session tables of " + std::to_string(key_count(capacity)) +
                 " keys; lower max-allocations, max-permissions or max-channels"};
  }
}

Tables::Tables(const shm::Capacity& capacity, int node, std::uint64_t seed)
    : keys_(key_count(capacity), node, seed),
      channels_(make_huge<ChannelFlows>(capacity.channels, node)),
      permissions_(make_huge<Flow>(capacity.permissions, node)),
      allocations_(make_huge<Flow>(capacity.allocations, node)),
      infos_(make_huge<AllocationInfo>(capacity.allocations, node)),
      bandwidths_(make_huge<Bandwidth>(capacity.allocations, node)),
      allocation_records_(make_huge<AllocationRecord>(capacity.allocations, node)),
      permission_records_(make_huge<PermissionRecord>(capacity.permissions, node)),
      channel_records_(make_huge<ChannelRecord>(capacity.channels, node)) {
  permission_index_.prepare(capacity.permissions, wire::mix(seed + 1), node);
}

template <typename LinksOf>
bool Tables::add_shared(const FlowKey& key, std::uint32_t slot, LinksOf&& links) noexcept {
  const std::uint32_t first = find(key);
  if (first == kNoSlot) return add(key, slot);
  link_second(first, slot, links);
  return true;
}

// The first of those who are left, kNoSlot if there are none.
template <typename LinksOf>
std::uint32_t Tables::drop_shared(const FlowKey& key, std::uint32_t slot, LinksOf&& links) noexcept {
  const std::uint32_t first = find(key);
  std::uint32_t left = first;
  unlink(left, slot, links);
  if (left == kNoSlot) drop(key);
  if (left != kNoSlot && left != first) add(key, left);  // the key is there: only where it leads changes
  return left;
}

std::uint32_t Tables::only_live_sharer(std::uint32_t slot, Tick now) const noexcept {
  std::uint32_t only = kNoSlot;
  int seen = 0;
  for (std::uint32_t i = slot; i != kNoSlot; i = permission_records_[i].sharers.next) {
    if (++seen > kMaxSharersSeen) return kNoSlot;
    if (now >= permissions_[i].deadline) continue;
    if (only != kNoSlot) return kNoSlot;
    only = i;
  }
  return only != kNoSlot ? only : slot;
}

std::uint32_t Tables::find_permission(std::uint32_t allocation, const FlowKey& key) const noexcept {
  return permission_index_.find(allocation, key, [&](std::uint32_t slot) {
    const PermissionRecord& record = permission_records_[slot];
    return record.fact.allocation.index == allocation && key_of(record) == key;
  });
}

Tables::AllocationRecord* Tables::owner(const shm::Slot& allocation) noexcept {
  if (!valid(allocation, allocation_records_.size())) return nullptr;
  AllocationRecord& record = allocation_records_[allocation.index];
  return record.fact.allocation.generation == allocation.generation ? &record : nullptr;
}

FlowKey Tables::client_key(const shm::AllocationFact& fact, std::uint16_t server) noexcept {
  return server == kNoLocal ? FlowKey{} : make_key(fact.client, {server, fact.server.port}, KeyTag::kClient);
}

FlowKey Tables::relay_key(const AllocationRecord& record, std::size_t family) noexcept {
  const std::uint16_t local = record.relays[family];
  if (local == kNoLocal) return {};
  return make_key(wire::Endpoint{}, {local, relay_of(record.fact, family).port}, KeyTag::kRelay);
}

FlowKey Tables::key_of(const PermissionRecord& record) noexcept {
  const wire::Endpoint peer{record.fact.peer, 0, 0};
  return make_key(peer, {record.relay, record.fact.relay.port}, KeyTag::kPermission);
}

// An allocation's client never changes, and its channels go before it does.
FlowKey Tables::to_peer_key(const ChannelRecord& record) const noexcept {
  FlowKey key = client_key(allocation_records_[record.fact.allocation.index].fact, record.server);
  if (key.tag != 0) key.tag = record.fact.number;
  return key;
}

FlowKey Tables::to_client_key(const ChannelRecord& record) noexcept {
  return make_key(record.fact.peer, {record.relay, record.fact.relay.port}, KeyTag::kPeer);
}

bool Tables::find_locals(const LocalAddresses& locals, AllocationRecord& record) noexcept {
  const shm::AllocationFact& fact = record.fact;
  if (fact.client_next_hop != kToControl) {
    const LocalAddresses::Entry* server = locals.find(fact.server.address);
    if (server == nullptr || server->listener_port != fact.server.port) return false;
    record.server = server->index;
  }
  bool any = false;
  for (std::size_t i = 0; i < record.relays.size(); ++i) {
    const wire::Endpoint& relay = relay_of(fact, i);
    if (relay.address.family == wire::Family::kNone) continue;
    RelayRef ref;
    const bool right_family = relay.address.is_v4() == (i == kV4);
    if (!right_family || !relay_ref(relay, locals, ref)) return false;
    record.relays[i] = ref.local;
    any = true;
  }
  return any;
}

// Tells by kNoLocal which keys it did not add.
bool Tables::add_keys(AllocationRecord& record) noexcept {
  const std::uint32_t slot = record.fact.allocation.index;
  bool added = record.server == kNoLocal || add(client_key(record.fact, record.server), slot);
  if (!added) record.server = kNoLocal;
  for (std::size_t i = 0; i < record.relays.size(); ++i) {
    const FlowKey key = relay_key(record, i);
    if (key.tag == 0) continue;
    // An address record that was overwritten could let one key stand for both families.
    const std::uint32_t first = find(key);
    added = added && (first == kNoSlot || relay_key(allocation_records_[first], i) == key);
    added = added && add_shared(key, slot, relay_sharers(i));
    if (!added) record.relays[i] = kNoLocal;
  }
  return added;
}

void Tables::drop_keys(AllocationRecord& record) noexcept {
  drop(client_key(record.fact, record.server));
  record.server = kNoLocal;
  for (std::size_t i = 0; i < record.relays.size(); ++i) {
    const FlowKey key = relay_key(record, i);
    if (key.tag != 0) drop_shared(key, record.fact.allocation.index, relay_sharers(i));
    record.relays[i] = kNoLocal;
  }
}

Applied Tables::install(const shm::AllocationFact& fact, const LocalAddresses& locals) noexcept {
  if (!valid(fact.allocation, allocation_records_.size())) return Applied::kInvalid;
  AllocationRecord& record = allocation_records_[fact.allocation.index];
  const bool known = record.fact.allocation.generation == fact.allocation.generation;
  if (known && !same_client(record.fact, fact)) return Applied::kInvalid;
  if (known && same_relays(record.fact, fact)) {
    record.fact = fact;
    allocations_[fact.allocation.index].next_hop = fact.client_next_hop;
    follow(record);
    return Applied::kDone;
  }
  AllocationRecord fresh;
  fresh.fact = fact;
  Flow flow;
  if (!find_locals(locals, fresh) || !make_header(fact.server, fact.client, flow)) return Applied::kInvalid;
  const FlowKey client = client_key(fact, fresh.server);
  if (client.tag != 0 && is_other(client, fact.allocation.index)) return Applied::kInvalid;
  // Same generation, other relays: a family was removed. Permissions and channels of the other family stay.
  if (known) {
    fresh.first_permission = record.first_permission;
    fresh.first_channel = record.first_channel;
    drop_keys(record);
  } else if (record.fact.allocation.generation != 0) {
    remove_allocation(record.fact.allocation);
  }
  record = fresh;
  if (!add_keys(record)) {
    remove_allocation(fact.allocation);
    return Applied::kTableFull;
  }
  flow.allocation = fact.allocation.index;
  flow.next_hop = fact.client_next_hop;
  allocations_[fact.allocation.index] = flow;
  AllocationInfo& info = infos_[fact.allocation.index];
  info = {};
  for (std::size_t i = 0; i < fresh.relays.size(); ++i) {
    if (fresh.relays[i] != kNoLocal) info.relays[i] = {fresh.relays[i], relay_of(fact, i).port};
  }
  remove_other_families(record);
  follow(record);
  return Applied::kDone;
}

// A family that the allocation has lost takes its permissions and channels with it (RFC 8656 section 8.2).
void Tables::remove_other_families(const AllocationRecord& record) noexcept {
  for (std::uint32_t i = record.first_permission; i != kNoSlot;) {
    const PermissionRecord& permission = permission_records_[i];
    i = permission.links.next;
    if (!is_of(record.fact, permission.fact.relay)) remove_permission(permission.fact.permission);
  }
  for (std::uint32_t i = record.first_channel; i != kNoSlot;) {
    const ChannelRecord& channel = channel_records_[i];
    i = channel.links.next;
    if (!is_of(record.fact, channel.fact.relay)) remove_channel(channel.fact.channel);
  }
}

Applied Tables::install(const shm::PermissionFact& fact, const LocalAddresses& locals) noexcept {
  AllocationRecord* allocation = owner(fact.allocation);
  RelayRef relay;
  if (allocation == nullptr || !valid(fact.permission, permission_records_.size()) ||
      !is_of(allocation->fact, fact.relay) || !relay_ref(fact.relay, locals, relay)) {
    return Applied::kInvalid;
  }
  PermissionRecord& record = permission_records_[fact.permission.index];
  const wire::Endpoint peer{fact.peer, 0, 0};
  const FlowKey key = make_key(peer, relay, KeyTag::kPermission);
  const bool same = record.fact.permission.generation == fact.permission.generation &&
                    key_of(record) == key && record.fact.allocation.index == fact.allocation.index;
  if (!same) {
    Flow flow;
    const std::uint32_t before = find_permission(fact.allocation.index, key);
    const bool twice = before != kNoSlot && before != fact.permission.index;
    if (twice || !make_header(fact.relay, peer, flow)) return Applied::kInvalid;
    if (record.fact.permission.generation != 0) remove_permission(record.fact.permission);
    if (!add_shared(key, fact.permission.index, permission_sharers())) return Applied::kTableFull;
    flow.allocation = fact.allocation.index;
    permissions_[fact.permission.index] = flow;
    mark_sharing(find(key));
    record.relay = relay.local;
    permission_index_.insert(fact.allocation.index, key, fact.permission.index);
    link(allocation->first_permission, fact.permission.index, permission_links());
  }
  record.fact = fact;
  permissions_[fact.permission.index].next_hop = locals.hairpins(fact.peer) ? kHairpin : fact.next_hop;
  follow(record, allocation->fact.deadline_ns);
  return Applied::kDone;
}

Applied Tables::install(const shm::ChannelFact& fact, const LocalAddresses& locals) noexcept {
  AllocationRecord* allocation = owner(fact.allocation);
  RelayRef relay;
  if (allocation == nullptr || !valid(fact.channel, channel_records_.size()) || fact.number < 0x4000 ||
      fact.number > 0x7FFF || !is_of(allocation->fact, fact.relay) || !relay_ref(fact.relay, locals, relay)) {
    return Applied::kInvalid;
  }
  if (locals.is_service(fact.peer)) return Applied::kInvalid;
  ChannelRecord& record = channel_records_[fact.channel.index];
  ChannelRecord fresh;
  fresh.fact = fact;
  fresh.server = allocation->server;  // kNoLocal: control names the channel itself
  fresh.relay = relay.local;
  const FlowKey to_peer = to_peer_key(fresh);
  const FlowKey to_client = to_client_key(fresh);
  ChannelFlows& flows = channels_[fact.channel.index];
  const bool same = record.fact.channel.generation == fact.channel.generation &&
                    record.fact.allocation.index == fact.allocation.index && to_peer_key(record) == to_peer &&
                    to_client_key(record) == to_client;
  if (!same) {
    Flow peer_flow;
    const bool taken = (to_peer.tag != 0 && is_other(to_peer, fact.channel.index)) ||
                       is_other(to_client, fact.channel.index);
    if (taken || !make_header(fact.relay, fact.peer, peer_flow)) return Applied::kInvalid;
    if (record.fact.channel.generation != 0) remove_channel(record.fact.channel);
    if (to_peer.tag != 0 && !add(to_peer, fact.channel.index)) return Applied::kTableFull;
    if (!add(to_client, fact.channel.index)) {
      drop(to_peer);
      return Applied::kTableFull;
    }
    flows.to_peer = peer_flow;
    flows.to_peer.allocation = fact.allocation.index;
    record = fresh;
    link(allocation->first_channel, fact.channel.index, channel_links());
  }
  record.fact = fact;
  flows.to_client = allocations_[fact.allocation.index];
  flows.to_client.channel = fact.number;
  flows.to_peer.next_hop = locals.hairpins(fact.peer.address) ? kHairpin : fact.next_hop;
  follow(record, allocation->fact.deadline_ns);
  return Applied::kDone;
}

void Tables::remove_allocation(shm::Slot slot) noexcept {
  AllocationRecord* record = owner(slot);
  if (record == nullptr) return;
  while (record->first_permission != kNoSlot) {
    remove_permission(permission_records_[record->first_permission].fact.permission);
  }
  while (record->first_channel != kNoSlot)
    remove_channel(channel_records_[record->first_channel].fact.channel);
  drop_keys(*record);
  allocations_[slot.index] = {};
  infos_[slot.index] = {};
  bandwidths_[slot.index] = {};
  *record = {};
}

void Tables::remove_permission(shm::Slot slot) noexcept {
  if (!valid(slot, permission_records_.size())) return;
  PermissionRecord& record = permission_records_[slot.index];
  if (record.fact.permission.generation != slot.generation) return;
  const FlowKey key = key_of(record);
  mark_sharing(drop_shared(key, slot.index, permission_sharers()));
  permission_index_.erase(record.fact.allocation.index, key, slot.index);
  unlink(allocation_records_[record.fact.allocation.index].first_permission, slot.index, permission_links());
  permissions_[slot.index] = {};
  record = {};
}

void Tables::remove_channel(shm::Slot slot) noexcept {
  if (!valid(slot, channel_records_.size())) return;
  ChannelRecord& record = channel_records_[slot.index];
  if (record.fact.channel.generation != slot.generation) return;
  drop(to_peer_key(record));
  drop(to_client_key(record));
  unlink(allocation_records_[record.fact.allocation.index].first_channel, slot.index, channel_links());
  channels_[slot.index] = {};
  record = {};
}

void Tables::clear() noexcept {
  keys_.clear();
  std::fill(channels_.begin(), channels_.end(), ChannelFlows{});
  std::fill(permissions_.begin(), permissions_.end(), Flow{});
  std::fill(allocations_.begin(), allocations_.end(), Flow{});
  std::fill(infos_.begin(), infos_.end(), AllocationInfo{});
  std::fill(bandwidths_.begin(), bandwidths_.end(), Bandwidth{});
  std::fill(allocation_records_.begin(), allocation_records_.end(), AllocationRecord{});
  std::fill(permission_records_.begin(), permission_records_.end(), PermissionRecord{});
  std::fill(channel_records_.begin(), channel_records_.end(), ChannelRecord{});
  permission_index_.clear();
}

}  // namespace turnpike::dataplane
