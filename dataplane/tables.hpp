// SPDX-License-Identifier: BSD-3-Clause
// The session tables of one worker: one exact-match hash over all kinds of keys, and arrays of flows by slot
// index. Only this worker touches them: the inbox writes, the stages read. Slot indices are chosen by
// control; every one is checked here, because shared memory is not believed.
#pragma once

#include <rte_hash.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/shm/abi.hpp"
#include "dataplane/flow.hpp"
#include "dataplane/local_addresses.hpp"

namespace turnpike::dataplane {

inline constexpr std::uint32_t kNoSlot = 0xFFFFFFFF;

// A relayed address of an allocation, as a key needs it.
struct RelayRef {
  std::uint16_t local = kNoLocal;
  std::uint16_t port = 0;
};

// What the packet path needs of an allocation besides its flow to the client.
struct AllocationInfo {
  std::array<RelayRef, 2> relays;  // [0] IPv4, [1] IPv6
  std::uint32_t icmp_tokens = 0;   // worker: rw; ICMP errors that may still be passed on
  Tick icmp_refill = 0;
};

enum class Applied : std::uint8_t { kDone, kTableFull, kInvalid };

class Tables {
public:
  static Result<std::unique_ptr<Tables>> create(WorkerIndex worker, const shm::Capacity& capacity,
                                                int socket_id);
  ~Tables();
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  // ---- packet path
  // ------------------------------------------------------------------------------------------------- Slot of
  // each key, kNoSlot on a miss. At most RTE_HASH_LOOKUP_BULK_MAX keys. What a slot indexes follows from the
  // key's tag: channels for channel numbers and kPeer, allocations for kClient and kRelay, permissions for
  // kPermission.
  void find_bulk(std::span<const FlowKey* const> keys, std::uint32_t* slots) const noexcept;
  std::uint32_t find(const FlowKey& key) const noexcept;

  const Flow& channel_to_peer(std::uint32_t slot) const noexcept { return channels_[slot].to_peer; }
  const Flow& channel_to_client(std::uint32_t slot) const noexcept { return channels_[slot].to_client; }
  const Flow& permission(std::uint32_t slot) const noexcept { return permissions_[slot]; }
  const Flow& allocation(std::uint32_t slot) const noexcept { return allocations_[slot]; }
  AllocationInfo& info(std::uint32_t slot) noexcept { return infos_[slot]; }

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
  std::size_t size() const noexcept;

private:
  struct ChannelFlows {
    Flow to_peer;
    Flow to_client;
  };
  // Cold data, for installing and removing. Lists of an allocation's permissions and channels are intrusive.
  struct Links {
    std::uint32_t next = kNoSlot;
    std::uint32_t previous = kNoSlot;
  };
  struct AllocationRecord {
    shm::AllocationFact fact;  // generation 0: empty
    std::array<FlowKey, 3> keys;
    std::uint32_t first_permission = kNoSlot;
    std::uint32_t first_channel = kNoSlot;
  };
  struct PermissionRecord {
    shm::PermissionFact fact;
    FlowKey key;
    Links links;
  };
  struct ChannelRecord {
    shm::ChannelFact fact;
    FlowKey to_peer;
    FlowKey to_client;
    Links links;
  };

  Tables() = default;
  bool add(const FlowKey& key, std::uint32_t slot) noexcept;
  void drop(const FlowKey& key) noexcept;
  void set_deadlines(const AllocationRecord& allocation) noexcept;
  void set_deadline(const PermissionRecord& permission, std::uint64_t allocation_deadline_ns) noexcept;
  void set_deadline(const ChannelRecord& channel, std::uint64_t allocation_deadline_ns) noexcept;
  void remove_other_families(const AllocationRecord& record) noexcept;
  AllocationRecord* owner(const shm::Slot& allocation) noexcept;
  bool keys_of(const shm::AllocationFact& fact, const LocalAddresses& locals,
               AllocationRecord& record) const noexcept;

  rte_hash* hash_ = nullptr;
  std::vector<ChannelFlows> channels_;
  std::vector<Flow> permissions_;
  std::vector<Flow> allocations_;
  std::vector<AllocationInfo> infos_;
  std::vector<AllocationRecord> allocation_records_;
  std::vector<PermissionRecord> permission_records_;
  std::vector<ChannelRecord> channel_records_;
};

}  // namespace turnpike::dataplane
