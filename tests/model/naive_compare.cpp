// SPDX-License-Identifier: BSD-3-Clause
// The facts against the model, object by object.
#include "tests/model/naive_records.hpp"

namespace turnpike::model {

void NaiveTurn::compare(const FactTables& facts, Time now) const {
  std::size_t permissions = 0;
  std::size_t channels = 0;
  for (const Record& record : records) {
    const InstallAllocation* fact = facts.find(record.client);
    if (!is_live(record, now)) continue;  // a ghost: the facts may or may not have it
    require(fact != nullptr, "an allocation is missing in the facts");
    Time deadline{};
    for (const int family : {1, 2}) {
      const Endpoint& relay = family == 1 ? fact->relay_v4 : fact->relay_v6;
      if (const Leg* leg = live_leg(record, family, now)) {
        require(relay == leg->relay, "a relayed address differs");
        deadline = std::max(deadline, leg->deadline);
      } else if (record.legs.count(family) == 0) {
        require(relay.address.family == Family::kNone, "a family should be gone");
      }
    }
    require(fact->deadline == deadline, "an allocation's deadline differs");
    require(fact->max_bps == record.max_bps, "an allocation's bandwidth limit differs");
    const auto counts = [&](const IpAddress& peer, Time end) {  // the rest are ghosts
      return live(end, now) && live_leg(record, number(peer), now) != nullptr;
    };
    for (const auto& [at, each] : facts.permissions) {
      if (each.allocation != fact->allocation || !counts(each.peer, each.deadline)) continue;
      const auto found = record.permissions.find(each.peer);
      require(found != record.permissions.end() && found->second == each.deadline, "a permission differs");
      ++permissions;
    }
    for (const auto& [at, each] : facts.channels) {
      if (each.allocation != fact->allocation || !counts(each.peer.address, each.deadline)) continue;
      const auto found = record.channels.find(each.number);
      require(found != record.channels.end() && found->second.peer == each.peer &&
                  found->second.deadline == each.deadline,
              "a channel differs");
      const auto permission = record.permissions.find(each.peer.address);
      const bool permitted = permission != record.permissions.end() && live(permission->second, now);
      require(permitted ? each.permission_deadline == permission->second : each.permission_deadline <= now,
              "a channel's permission deadline differs");
      ++channels;
    }
    for (const auto& [peer, end] : record.permissions) permissions -= counts(peer, end) ? 1 : 0;
    for (const auto& [channel, binding] : record.channels) {
      channels -= counts(binding.peer.address, binding.deadline) ? 1 : 0;
    }
  }
  require(permissions == 0, "permissions are missing in the facts");
  require(channels == 0, "channels are missing in the facts");
  for (const auto& [at, fact] : facts.allocations) {
    if (live(fact.deadline, now)) {
      require(find(fact.five_tuple, now) != nullptr, "an allocation that should not be");
    } else {
      require(fact.deadline + kGhost > now, "an allocation was not swept");
    }
  }
  const auto swept = [&](const auto& table, auto deadline_of) {
    for (const auto& [at, fact] : table) {
      require(facts.allocations.count(slot(fact.allocation)) == 1, "an orphan");
      require(deadline_of(fact) + kGhost > now, "something was not swept");
    }
  };
  swept(facts.permissions, [](const InstallPermission& fact) { return fact.deadline; });
  swept(facts.channels, [](const InstallChannel& fact) { return fact.deadline; });
}

}  // namespace turnpike::model
