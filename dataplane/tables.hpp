// SPDX-License-Identifier: BSD-3-Clause
// The session tables of one worker: one exact-match hash over all kinds of keys, and arrays of flows by slot
// index. Only this worker touches them: the inbox writes, the stages read. Slot indices are chosen by
// control; every one is checked here, because shared memory is not believed.
//
// Several allocations may have one relayed endpoint (shared relay ports). A kRelay or kPermission key then
// stands once in the hash and leads to the first of those who share it; all other keys have one owner.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/result.hpp"
#include "common/shm/abi.hpp"
#include "dataplane/bandwidth.hpp"
#include "dataplane/flow.hpp"
#include "dataplane/flow_keys.hpp"
#include "dataplane/flow_table.hpp"
#include "dataplane/huge_memory.hpp"
#include "dataplane/local_addresses.hpp"
#include "dataplane/permission_index.hpp"
#include "dataplane/slot_lists.hpp"

namespace turnpike::dataplane {

// What the packet path needs of an allocation besides its flow to the client.
struct AllocationInfo {
  std::array<RelayRef, 2> relays;  // [0] IPv4, [1] IPv6
  std::uint32_t icmp_tokens = 0;   // worker: rw; ICMP errors that may still be passed on
  Tick icmp_refill = 0;
};

enum class Applied : std::uint8_t { kDone, kTableFull, kInvalid };

class Tables {
public:
  // All memory that the tables will ever take, on NUMA node `socket_id` (-1: any).
  static Result<std::unique_ptr<Tables>> create(const shm::Capacity& capacity, int socket_id);
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  // ---- packet path
  // ------------------------------------------------------------------------------------------------- Slot of
  // each key, kNoSlot on a miss. At most kBurst keys. What a slot indexes follows from the
  // key's tag: channels for channel numbers and kPeer, allocations for kClient and kRelay, permissions for
  // kPermission.
  void find_bulk(std::span<const FlowKey* const> keys, std::uint32_t* slots) const noexcept {
    keys_.find_bulk(keys, slots);
  }
  std::uint32_t find(const FlowKey& key) const noexcept { return keys_.find(key); }

  const Flow& channel_to_peer(std::uint32_t slot) const noexcept { return channels_[slot].to_peer; }
  const Flow& channel_to_client(std::uint32_t slot) const noexcept { return channels_[slot].to_client; }
  const Flow& permission(std::uint32_t slot) const noexcept { return permissions_[slot]; }
  const Flow& allocation(std::uint32_t slot) const noexcept { return allocations_[slot]; }
  AllocationInfo& info(std::uint32_t slot) noexcept { return infos_[slot]; }
  Bandwidth& bandwidth(std::uint32_t slot) noexcept { return bandwidths_[slot]; }  // where Flow::limited
  // What find() said of a kPermission key, as the peer's packet needs it: the only permission that lives. It
  // may be expired when none lives; kNoSlot when several do, and nobody can say whose packet it is.
  std::uint32_t only_live_permission(std::uint32_t slot, Tick now) const noexcept {
    return permissions_[slot].channel == kAlone ? slot : only_live_sharer(slot, now);
  }
  // The same as a Send indication needs it: the permission of this allocation; kNoSlot when it has none.
  std::uint32_t permission_of(std::uint32_t allocation, const FlowKey& key,
                              std::uint32_t slot) const noexcept {
    return permissions_[slot].allocation == allocation ? slot : find_permission(allocation, key);
  }

  // ---- inbox
  // -------------------------------------------------------------------------------------------------------
  Applied install(const shm::AllocationFact& fact, const LocalAddresses& locals) noexcept;
  Applied install(const shm::PermissionFact& fact, const LocalAddresses& locals) noexcept;
  Applied install(const shm::ChannelFact& fact, const LocalAddresses& locals) noexcept;
  // A slot that is empty or of another generation is left alone: removing twice is the same fact.
  void remove_allocation(shm::Slot slot) noexcept;
  void remove_permission(shm::Slot slot) noexcept;
  void remove_channel(shm::Slot slot) noexcept;
  void clear() noexcept;
  // 0: the slot is empty or out of range.
  std::uint32_t generation(std::uint32_t allocation) const noexcept {
    return allocation < allocation_records_.size()
               ? allocation_records_[allocation].fact.allocation.generation
               : 0;
  }
  std::size_t size() const noexcept { return keys_.size(); }

private:
  struct ChannelFlows {
    Flow to_peer;
    Flow to_client;
  };
  // `channel` of a permission's flow, which prepends nothing: whether others stand behind it under its key.
  static constexpr std::uint16_t kAlone = 0;
  static constexpr std::uint16_t kShared = 1;
  // Cold data, for installing and removing. Keys are made again from the facts and from which of our
  // addresses each was found to be when it was added. Lists of an allocation's permissions and channels are
  // intrusive, and so are those of a key's sharers.
  struct AllocationRecord {
    shm::AllocationFact fact;                                 // generation 0: empty
    std::uint16_t server = kNoLocal;                          // kNoLocal: the client's key is not in the hash
    std::array<std::uint16_t, 2> relays{kNoLocal, kNoLocal};  // likewise, IPv4 and IPv6
    std::array<Links, 2> sharers;                             // of the relays
    std::uint32_t first_permission = kNoSlot;
    std::uint32_t first_channel = kNoSlot;
  };
  struct PermissionRecord {
    shm::PermissionFact fact;
    std::uint16_t relay = kNoLocal;
    Links links;
    Links sharers;
  };
  struct ChannelRecord {
    shm::ChannelFact fact;
    std::uint16_t server = kNoLocal;  // kNoLocal: the client's key is not in the hash
    std::uint16_t relay = kNoLocal;
    Links links;
  };

  Tables(const shm::Capacity& capacity, int node, std::uint64_t seed);
  bool add(const FlowKey& key, std::uint32_t slot) noexcept { return keys_.insert(key, slot); }
  void drop(const FlowKey& key) noexcept {
    if (key.tag != 0) keys_.erase(key);
  }
  void follow(const AllocationRecord& allocation) noexcept;
  void follow(const PermissionRecord& permission, std::uint64_t allocation_deadline_ns) noexcept;
  void follow(const ChannelRecord& channel, std::uint64_t allocation_deadline_ns) noexcept;
  void remove_other_families(const AllocationRecord& record) noexcept;
  AllocationRecord* owner(const shm::Slot& allocation) noexcept;
  static bool find_locals(const LocalAddresses& locals, AllocationRecord& record) noexcept;
  // With tag 0 where there is none.
  static FlowKey client_key(const shm::AllocationFact& fact, std::uint16_t server) noexcept;
  static FlowKey relay_key(const AllocationRecord& record, std::size_t family) noexcept;
  static FlowKey key_of(const PermissionRecord& record) noexcept;
  FlowKey to_peer_key(const ChannelRecord& record) const noexcept;
  static FlowKey to_client_key(const ChannelRecord& record) noexcept;
  auto permission_links() noexcept {
    return [this](std::uint32_t slot) -> Links& { return permission_records_[slot].links; };
  }
  auto permission_sharers() noexcept {
    return [this](std::uint32_t slot) -> Links& { return permission_records_[slot].sharers; };
  }
  auto channel_links() noexcept {
    return [this](std::uint32_t slot) -> Links& { return channel_records_[slot].links; };
  }
  auto relay_sharers(std::size_t family) noexcept {
    return [this, family](std::uint32_t slot) -> Links& { return allocation_records_[slot].sharers[family]; };
  }
  // Whether `key` leads to another slot.
  bool is_other(const FlowKey& key, std::uint32_t slot) const noexcept {
    const std::uint32_t found = find(key);
    return found != kNoSlot && found != slot;
  }
  template <typename LinksOf>
  bool add_shared(const FlowKey& key, std::uint32_t slot, LinksOf&& links) noexcept;
  template <typename LinksOf>
  std::uint32_t drop_shared(const FlowKey& key, std::uint32_t slot, LinksOf&& links) noexcept;
  bool add_keys(AllocationRecord& record) noexcept;
  void drop_keys(AllocationRecord& record) noexcept;
  void mark_sharing(std::uint32_t first) noexcept {
    if (first == kNoSlot) return;
    permissions_[first].channel = permission_records_[first].sharers.next == kNoSlot ? kAlone : kShared;
  }
  std::uint32_t only_live_sharer(std::uint32_t slot, Tick now) const noexcept;
  std::uint32_t find_permission(std::uint32_t allocation, const FlowKey& key) const noexcept;

  FlowTable keys_;
  HugeVector<ChannelFlows> channels_;
  HugeVector<Flow> permissions_;
  HugeVector<Flow> allocations_;
  HugeVector<AllocationInfo> infos_;
  HugeVector<Bandwidth> bandwidths_;
  HugeVector<AllocationRecord> allocation_records_;
  HugeVector<PermissionRecord> permission_records_;
  HugeVector<ChannelRecord> channel_records_;
  PermissionIndex permission_index_;
};

}  // namespace turnpike::dataplane
