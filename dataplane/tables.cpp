// SPDX-License-Identifier: BSD-3-Clause
// Session tables: facts become keys, flows and lists; look-ups for the stages.
#include "dataplane/tables.hpp"

#include <rte_errno.h>
#include <rte_hash_crc.h>
#include <rte_random.h>

#include <algorithm>
#include <string>

#include "dataplane/header_template.hpp"

namespace turnpike::dataplane {
namespace {

constexpr int kV4 = 0;
constexpr int kV6 = 1;

int compare_keys(const void* a, const void* b, std::size_t /*size*/) {
  std::uint64_t left[3];
  std::uint64_t right[3];
  std::memcpy(left, a, sizeof left);
  std::memcpy(right, b, sizeof right);
  return ((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2])) != 0;
}

FlowKey make_key(const wire::Endpoint& remote, RelayRef local, std::uint16_t tag) noexcept {
  FlowKey key;
  key.remote = remote.address.bytes;
  key.remote_port = remote.port;
  key.local = local.local;
  key.local_port = local.port;
  key.tag = tag;
  return key;
}
FlowKey make_key(const wire::Endpoint& remote, RelayRef local, KeyTag tag) noexcept {
  return make_key(remote, local, static_cast<std::uint16_t>(tag));
}

// Whether `endpoint` is a relayed address of ours, and which.
bool relay_ref(const wire::Endpoint& endpoint, const LocalAddresses& locals, RelayRef& ref) noexcept {
  const LocalAddresses::Entry* entry = locals.find(endpoint.address);
  if (entry == nullptr || !entry->is_relay_port(endpoint.port)) return false;
  ref = {entry->index, endpoint.port};
  return true;
}

bool valid(const shm::Slot& slot, std::size_t capacity) noexcept {
  return slot.index < capacity && slot.generation != 0;
}

bool same_endpoints(const shm::AllocationFact& a, const shm::AllocationFact& b) noexcept {
  return a.client == b.client && a.server == b.server && a.relay_v4 == b.relay_v4 && a.relay_v6 == b.relay_v6;
}

// Pushes slot `index` to the front of the list that starts at `first`.
template <typename Records>
void link(Records& records, std::uint32_t& first, std::uint32_t index) noexcept {
  records[index].links = {first, kNoSlot};
  if (first != kNoSlot) records[first].links.previous = index;
  first = index;
}
template <typename Records>
void unlink(Records& records, std::uint32_t& first, std::uint32_t index) noexcept {
  const auto links = records[index].links;
  if (links.previous != kNoSlot) records[links.previous].links.next = links.next;
  if (links.previous == kNoSlot) first = links.next;
  if (links.next != kNoSlot) records[links.next].links.previous = links.previous;
  records[index].links = {};
}

}  // namespace

Result<std::unique_ptr<Tables>> Tables::create(WorkerIndex worker, const shm::Capacity& capacity,
                                               int socket_id) {
  std::unique_ptr<Tables> tables(new Tables());
  const std::uint64_t keys =
      3 * std::uint64_t{capacity.allocations} + capacity.permissions + 2 * std::uint64_t{capacity.channels};
  const std::string name = "sessions" + std::to_string(worker);
  rte_hash_parameters parameters{};
  parameters.name = name.c_str();
  parameters.entries = static_cast<std::uint32_t>(std::min<std::uint64_t>(keys, RTE_HASH_ENTRIES_MAX));
  parameters.key_len = sizeof(FlowKey);
  parameters.hash_func = rte_hash_crc;
  parameters.hash_func_init_val =
      static_cast<std::uint32_t>(rte_rand());  // per start: no prepared collisions
  parameters.socket_id = socket_id;
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE;  // the stated capacity holds whatever the keys
  tables->hash_ = rte_hash_create(&parameters);
  if (tables->hash_ == nullptr) {
    return Error{"session table of " + std::to_string(keys) + " keys: " + rte_strerror(rte_errno) +
                 "; lower max-allocations, max-permissions or max-channels, or raise memory"};
  }
  rte_hash_set_cmp_func(tables->hash_, compare_keys);
  tables->channels_.resize(capacity.channels);
  tables->permissions_.resize(capacity.permissions);
  tables->allocations_.resize(capacity.allocations);
  tables->infos_.resize(capacity.allocations);
  tables->allocation_records_.resize(capacity.allocations);
  tables->permission_records_.resize(capacity.permissions);
  tables->channel_records_.resize(capacity.channels);
  return tables;
}

Tables::~Tables() { rte_hash_free(hash_); }

void Tables::find_bulk(std::span<const FlowKey* const> keys, std::uint32_t* slots) const noexcept {
  std::array<void*, RTE_HASH_LOOKUP_BULK_MAX> data;
  std::uint64_t hits = 0;
  if (keys.empty()) return;
  rte_hash_lookup_bulk_data(hash_,
                            const_cast<const void**>(reinterpret_cast<const void* const*>(keys.data())),
                            static_cast<std::uint32_t>(keys.size()), &hits, data.data());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    slots[i] = (hits >> i & 1) != 0 ? static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data[i]))
                                    : kNoSlot;
  }
}

std::uint32_t Tables::find(const FlowKey& key) const noexcept {
  void* data = nullptr;
  if (rte_hash_lookup_data(hash_, &key, &data) < 0) return kNoSlot;
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data));
}

bool Tables::add(const FlowKey& key, std::uint32_t slot) noexcept {
  return rte_hash_add_key_data(hash_, &key, reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot))) == 0;
}

void Tables::drop(const FlowKey& key) noexcept {
  if (key.tag != 0) rte_hash_del_key(hash_, &key);
}

// Permissions and channels never outlive their allocation, even when nobody removes them: the earlier
// deadline counts. The facts keep their own deadlines, so that refreshing the allocation alone lifts the
// limit again.
void Tables::set_deadline(const PermissionRecord& permission, std::uint64_t allocation_deadline_ns) noexcept {
  permissions_[permission.fact.permission.index].deadline =
      deadline_tick(std::min(permission.fact.deadline_ns, allocation_deadline_ns));
}

void Tables::set_deadline(const ChannelRecord& channel, std::uint64_t allocation_deadline_ns) noexcept {
  ChannelFlows& flows = channels_[channel.fact.channel.index];
  const std::uint64_t deadline_ns = std::min(channel.fact.deadline_ns, allocation_deadline_ns);
  flows.to_peer.deadline = deadline_tick(deadline_ns);
  // RFC 8656 sections 9 and 12.7: towards the client both the permission and the channel have to live.
  flows.to_client.deadline = deadline_tick(std::min(deadline_ns, channel.fact.permission_deadline_ns));
  flows.to_client.next_hop = allocations_[channel.fact.allocation.index].next_hop;
}

void Tables::set_deadlines(const AllocationRecord& allocation) noexcept {
  const std::uint64_t deadline_ns = allocation.fact.deadline_ns;
  allocations_[allocation.fact.allocation.index].deadline = deadline_tick(deadline_ns);
  for (std::uint32_t i = allocation.first_permission; i != kNoSlot; i = permission_records_[i].links.next) {
    set_deadline(permission_records_[i], deadline_ns);
  }
  for (std::uint32_t i = allocation.first_channel; i != kNoSlot; i = channel_records_[i].links.next) {
    set_deadline(channel_records_[i], deadline_ns);
  }
}

Tables::AllocationRecord* Tables::owner(const shm::Slot& allocation) noexcept {
  if (!valid(allocation, allocation_records_.size())) return nullptr;
  AllocationRecord& record = allocation_records_[allocation.index];
  return record.fact.allocation.generation == allocation.generation ? &record : nullptr;
}

bool Tables::keys_of(const shm::AllocationFact& fact, const LocalAddresses& locals,
                     AllocationRecord& record) const noexcept {
  const LocalAddresses::Entry* server = locals.find(fact.server.address);
  if (server == nullptr || server->listener_port != fact.server.port) return false;
  record.keys[0] = make_key(fact.client, {server->index, fact.server.port}, KeyTag::kClient);
  const std::array<const wire::Endpoint*, 2> relays{&fact.relay_v4, &fact.relay_v6};
  bool any = false;
  for (std::size_t i = 0; i < relays.size(); ++i) {
    record.keys[1 + i] = {};
    if (relays[i]->address.family == wire::Family::kNone) continue;
    RelayRef ref;
    if (!relay_ref(*relays[i], locals, ref)) return false;
    record.keys[1 + i] = make_key(wire::Endpoint{}, ref, KeyTag::kRelay);
    any = true;
  }
  return any;
}

Applied Tables::install(const shm::AllocationFact& fact, const LocalAddresses& locals) noexcept {
  if (!valid(fact.allocation, allocation_records_.size())) return Applied::kInvalid;
  AllocationRecord& record = allocation_records_[fact.allocation.index];
  const bool refresh =
      record.fact.allocation.generation == fact.allocation.generation && same_endpoints(record.fact, fact);
  if (refresh) {
    record.fact = fact;
    allocations_[fact.allocation.index].next_hop = fact.client_next_hop;
    set_deadlines(record);
    return Applied::kDone;
  }
  AllocationRecord fresh;
  fresh.fact = fact;
  Flow flow;
  if (!keys_of(fact, locals, fresh) || !make_header(fact.server, fact.client, flow)) return Applied::kInvalid;
  // Same generation, other relays: a family was removed. Permissions and channels of the other family stay.
  if (record.fact.allocation.generation == fact.allocation.generation) {
    fresh.first_permission = record.first_permission;
    fresh.first_channel = record.first_channel;
    for (const FlowKey& key : record.keys) drop(key);
  } else if (record.fact.allocation.generation != 0) {
    remove_allocation(record.fact.allocation);
  }
  for (const FlowKey& key : fresh.keys) {
    if (key.tag == 0 || add(key, fact.allocation.index)) continue;
    for (const FlowKey& undo : fresh.keys) drop(undo);
    remove_allocation(record.fact.allocation);
    return Applied::kTableFull;
  }
  flow.allocation = fact.allocation.index;
  flow.next_hop = fact.client_next_hop;
  allocations_[fact.allocation.index] = flow;
  AllocationInfo& info = infos_[fact.allocation.index];
  info = {};
  for (int family : {kV4, kV6}) {
    const FlowKey& key = fresh.keys[1 + family];
    if (key.tag != 0) info.relays[family] = {key.local, key.local_port};
  }
  record = fresh;
  remove_other_families(record);
  set_deadlines(record);
  return Applied::kDone;
}

// A family that the allocation has lost takes its permissions and channels with it (RFC 8656 section 8.2).
void Tables::remove_other_families(const AllocationRecord& record) noexcept {
  const auto kept = [&](const wire::Endpoint& relay) {
    return relay == record.fact.relay_v4 || relay == record.fact.relay_v6;
  };
  for (std::uint32_t i = record.first_permission; i != kNoSlot;) {
    const PermissionRecord& permission = permission_records_[i];
    i = permission.links.next;
    if (!kept(permission.fact.relay)) remove_permission(permission.fact.permission);
  }
  for (std::uint32_t i = record.first_channel; i != kNoSlot;) {
    const ChannelRecord& channel = channel_records_[i];
    i = channel.links.next;
    if (!kept(channel.fact.relay)) remove_channel(channel.fact.channel);
  }
}

Applied Tables::install(const shm::PermissionFact& fact, const LocalAddresses& locals) noexcept {
  AllocationRecord* allocation = owner(fact.allocation);
  RelayRef relay;
  if (allocation == nullptr || !valid(fact.permission, permission_records_.size()) ||
      !relay_ref(fact.relay, locals, relay)) {
    return Applied::kInvalid;
  }
  PermissionRecord& record = permission_records_[fact.permission.index];
  const wire::Endpoint peer{fact.peer, 0, 0};
  const FlowKey key = make_key(peer, relay, KeyTag::kPermission);
  if (record.fact.permission.generation != fact.permission.generation || !(record.key == key)) {
    Flow flow;
    if (!make_header(fact.relay, peer, flow)) return Applied::kInvalid;
    if (record.fact.permission.generation != 0) remove_permission(record.fact.permission);
    if (!add(key, fact.permission.index)) return Applied::kTableFull;
    flow.allocation = fact.allocation.index;
    permissions_[fact.permission.index] = flow;
    record.key = key;
    link(permission_records_, allocation->first_permission, fact.permission.index);
  }
  record.fact = fact;
  permissions_[fact.permission.index].next_hop = locals.find(fact.peer) != nullptr ? kHairpin : fact.next_hop;
  set_deadline(record, allocation->fact.deadline_ns);
  return Applied::kDone;
}

Applied Tables::install(const shm::ChannelFact& fact, const LocalAddresses& locals) noexcept {
  AllocationRecord* allocation = owner(fact.allocation);
  RelayRef relay;
  if (allocation == nullptr || !valid(fact.channel, channel_records_.size()) || fact.number < 0x4000 ||
      fact.number > 0x7FFF || !relay_ref(fact.relay, locals, relay)) {
    return Applied::kInvalid;
  }
  // RFC 8656 section 21.4 and our deny list: a service port of ours is never a peer.
  const LocalAddresses::Entry* own = locals.find(fact.peer.address);
  if (own != nullptr && !own->is_relay_port(fact.peer.port)) return Applied::kInvalid;
  ChannelRecord& record = channel_records_[fact.channel.index];
  FlowKey to_peer = allocation->keys[0];
  to_peer.tag = fact.number;
  const FlowKey to_client = make_key(fact.peer, relay, KeyTag::kPeer);
  ChannelFlows& flows = channels_[fact.channel.index];
  const bool same = record.fact.channel.generation == fact.channel.generation && record.to_peer == to_peer &&
                    record.to_client == to_client;
  if (!same) {
    Flow peer_flow;
    if (!make_header(fact.relay, fact.peer, peer_flow)) return Applied::kInvalid;
    if (record.fact.channel.generation != 0) remove_channel(record.fact.channel);
    if (!add(to_peer, fact.channel.index)) return Applied::kTableFull;
    if (!add(to_client, fact.channel.index)) {
      drop(to_peer);
      return Applied::kTableFull;
    }
    flows.to_peer = peer_flow;
    flows.to_peer.allocation = fact.allocation.index;
    record.to_peer = to_peer;
    record.to_client = to_client;
    link(channel_records_, allocation->first_channel, fact.channel.index);
  }
  record.fact = fact;
  flows.to_client = allocations_[fact.allocation.index];
  flows.to_client.channel = fact.number;
  flows.to_peer.next_hop = own != nullptr ? kHairpin : fact.next_hop;
  set_deadline(record, allocation->fact.deadline_ns);
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
  for (const FlowKey& key : record->keys) drop(key);
  allocations_[slot.index] = {};
  infos_[slot.index] = {};
  *record = {};
}

void Tables::remove_permission(shm::Slot slot) noexcept {
  if (!valid(slot, permission_records_.size())) return;
  PermissionRecord& record = permission_records_[slot.index];
  if (record.fact.permission.generation != slot.generation) return;
  drop(record.key);
  unlink(permission_records_, allocation_records_[record.fact.allocation.index].first_permission, slot.index);
  permissions_[slot.index] = {};
  record = {};
}

void Tables::remove_channel(shm::Slot slot) noexcept {
  if (!valid(slot, channel_records_.size())) return;
  ChannelRecord& record = channel_records_[slot.index];
  if (record.fact.channel.generation != slot.generation) return;
  drop(record.to_peer);
  drop(record.to_client);
  unlink(channel_records_, allocation_records_[record.fact.allocation.index].first_channel, slot.index);
  channels_[slot.index] = {};
  record = {};
}

void Tables::clear() noexcept {
  rte_hash_reset(hash_);
  std::fill(channels_.begin(), channels_.end(), ChannelFlows{});
  std::fill(permissions_.begin(), permissions_.end(), Flow{});
  std::fill(allocations_.begin(), allocations_.end(), Flow{});
  std::fill(infos_.begin(), infos_.end(), AllocationInfo{});
  std::fill(allocation_records_.begin(), allocation_records_.end(), AllocationRecord{});
  std::fill(permission_records_.begin(), permission_records_.end(), PermissionRecord{});
  std::fill(channel_records_.begin(), channel_records_.end(), ChannelRecord{});
}

std::size_t Tables::size() const noexcept { return static_cast<std::size_t>(rte_hash_count(hash_)); }

}  // namespace turnpike::dataplane
