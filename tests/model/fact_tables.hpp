// SPDX-License-Identifier: BSD-3-Clause
// A dataplane made of maps: what the facts say, and who may send to whom by them alone.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "common/turn/effects.hpp"

namespace turnpike::model {

using namespace turnpike::turn;

using Slot = std::pair<WorkerIndex, std::uint32_t>;
inline Slot slot(const SlotId& id) { return {id.worker, id.index}; }

inline void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

// The deadlines in the facts are enforced here, as the dataplane does: nothing depends on removals coming in
// time.
class FactTables {
public:
  std::map<Slot, InstallAllocation> allocations;
  std::map<Slot, InstallPermission> permissions;
  std::map<Slot, InstallChannel> channels;

  // False: a fact about an allocation that is not here, which a dataplane refuses.
  bool apply(const Effect& effect) {
    return std::visit([&](const auto& fact) { return apply_fact(fact); }, effect);
  }

  const InstallAllocation* find(const FiveTuple& client) const {
    for (const auto& [at, allocation] : allocations) {
      if (allocation.five_tuple == client) return &allocation;
    }
    return nullptr;
  }
  const InstallAllocation* find_relay(const RelayEndpoint& relay) const {
    for (const auto& [at, allocation] : allocations) {
      if (allocation.relay_v4 == relay || allocation.relay_v6 == relay) return &allocation;
    }
    return nullptr;
  }

  bool may_send(const FiveTuple& client, const IpAddress& peer, Time now) const {
    const auto* allocation = find(client);
    if (allocation == nullptr || allocation->deadline <= now) return false;
    return has_permission(*allocation, peer, now);
  }
  std::optional<PeerEndpoint> channel_target(const FiveTuple& client, std::uint16_t number, Time now) const {
    const auto* allocation = find(client);
    if (allocation == nullptr || allocation->deadline <= now) return std::nullopt;
    for (const auto& [at, channel] : channels) {
      if (channel.allocation == allocation->allocation && channel.number == number &&
          channel.deadline > now) {
        return channel.peer;
      }
    }
    return std::nullopt;
  }
  // Nothing: dropped. 0: a Data indication. Else the channel.
  std::optional<std::uint16_t> may_receive(const RelayEndpoint& relay, const PeerEndpoint& peer,
                                           Time now) const {
    const auto* allocation = find_relay(relay);
    if (allocation == nullptr || allocation->deadline <= now) return std::nullopt;
    if (relay.address.family != peer.address.family) return std::nullopt;
    for (const auto& [at, channel] : channels) {
      if (channel.relay == relay && channel.peer == peer && channel.deadline > now &&
          channel.permission_deadline > now) {
        require(has_permission(*allocation, peer.address, now),
                "a channel's copy of its permission lives on alone");
        return channel.number;
      }
    }
    if (!has_permission(*allocation, peer.address, now)) return std::nullopt;
    return std::uint16_t{0};
  }

private:
  bool has_permission(const InstallAllocation& allocation, const IpAddress& peer, Time now) const {
    for (const auto& [at, permission] : permissions) {
      if (permission.allocation == allocation.allocation && permission.peer == peer &&
          permission.deadline > now) {
        return true;
      }
    }
    return false;
  }
  bool knows(const SlotId& allocation) const {
    const auto found = allocations.find(slot(allocation));
    return found != allocations.end() && found->second.allocation == allocation;
  }
  // One slot holds one generation until its removal.
  template <typename Table, typename Fact>
  static void put(Table& table, const SlotId& id, const Fact& fact, const SlotId& (*owner)(const Fact&)) {
    const auto found = table.find(slot(id));
    require(found == table.end() || owner(found->second) == id, "a slot is reused before its removal");
    table.insert_or_assign(slot(id), fact);
  }
  template <typename Table>
  void drop_of(Table& table, const SlotId& allocation) {
    std::erase_if(table, [&](const auto& entry) { return entry.second.allocation == allocation; });
  }

  bool apply_fact(const InstallAllocation& fact) {
    put<decltype(allocations), InstallAllocation>(
        allocations, fact.allocation, fact,
        [](const InstallAllocation& f) -> const SlotId& { return f.allocation; });
    return true;
  }
  bool apply_fact(const RemoveAllocation& fact) {
    if (!knows(fact.allocation)) return true;  // after a refused installation
    allocations.erase(slot(fact.allocation));
    drop_of(permissions, fact.allocation);
    drop_of(channels, fact.allocation);
    return true;
  }
  bool apply_fact(const InstallPermission& fact) {
    if (!knows(fact.allocation)) return false;
    put<decltype(permissions), InstallPermission>(
        permissions, fact.permission, fact,
        [](const InstallPermission& f) -> const SlotId& { return f.permission; });
    return true;
  }
  bool apply_fact(const RemovePermission& fact) {
    permissions.erase(slot(fact.permission));
    return true;
  }
  bool apply_fact(const InstallChannel& fact) {
    if (!knows(fact.allocation)) return false;
    put<decltype(channels), InstallChannel>(
        channels, fact.channel, fact, [](const InstallChannel& f) -> const SlotId& { return f.channel; });
    return true;
  }
  bool apply_fact(const RemoveChannel& fact) {
    channels.erase(slot(fact.channel));
    return true;
  }
  template <typename Other>
  bool apply_fact(const Other&) {
    return true;  // no fact
  }
};

}  // namespace turnpike::model
