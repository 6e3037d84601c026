// SPDX-License-Identifier: BSD-3-Clause
// Taking back what a worker refused. What was new goes, what was refreshed gets its older deadline again,
// unless something later has changed it meanwhile.
#include "common/turn/sessions.hpp"

namespace turnpike::turn {

void Sessions::undo(WorkerIndex worker, const FactSpan& facts, Step& step) {
  for (std::uint64_t seq = facts.last; seq >= facts.first && seq != 0; --seq) {
    const PendingFact* fact = workers_[worker].log.find(seq);
    if (fact != nullptr) undo_one(worker, PendingFact(*fact), step);
  }
}

void Sessions::undo_one(WorkerIndex worker, const PendingFact& fact, Step& step) {
  Worker& owner = workers_[worker];
  if (fact.kind == FactKind::kRestated || fact.kind == FactKind::kRemoved) return;
  switch (fact.object) {
    case ObjectKind::kAllocation:
      if (Allocation* allocation = find(SlotId{worker, fact.index, fact.generation})) {
        undo_allocation(*allocation, fact, step);
      }
      return;
    case ObjectKind::kPermission:
      if (owner.permissions.is_live(fact.index, fact.generation))
        undo_permission(fact.index, fact, owner, step);
      return;
    case ObjectKind::kChannel:
      if (owner.channels.is_live(fact.index, fact.generation)) undo_channel(fact.index, fact, owner, step);
      return;
  }
}

void Sessions::undo_allocation(Allocation& allocation, const PendingFact& fact, Step& step) {
  if (fact.kind == FactKind::kNewAllocation) return remove(allocation, step.effects, EndReason::kRefused);
  for (int i = 0; i < 2; ++i) {
    RelayLeg& leg = allocation.legs[i];
    if (leg.present() && leg.deadline == fact.after[i]) leg.deadline = fact.before[i];
  }
  if (expire_legs(allocation, step)) return;
  set_timer(allocation);
  install(allocation, {FactKind::kRestated, ObjectKind::kAllocation, 0, 0, {}, {}}, step.effects);
}

void Sessions::undo_permission(std::uint32_t index, const PendingFact& fact, Worker& owner, Step& step) {
  Permission& permission = owner.permissions[index];
  Allocation& allocation = owner.allocations[permission.allocation];
  const IpAddress peer = permission.peer;
  if (permission.deadline != fact.after[0]) return;
  if (fact.kind == FactKind::kNewPermission || has_passed(fact.before[0], step.now)) {
    remove_permission(allocation, index, step.effects);
  } else {
    permission.deadline = fact.before[0];
    wheel_.schedule(timer(ObjectKind::kPermission, allocation.id.worker, index), permission.deadline);
    install_permission(allocation, index, {FactKind::kRestated, ObjectKind::kPermission, 0, 0, {}, {}},
                       step.effects);
  }
  restate_channels(allocation, peer, step.effects);
}

void Sessions::undo_channel(std::uint32_t index, const PendingFact& fact, Worker& owner, Step& step) {
  Channel& channel = owner.channels[index];
  Allocation& allocation = owner.allocations[channel.allocation];
  if (channel.deadline != fact.after[0]) return;
  if (fact.kind == FactKind::kNewChannel || has_passed(fact.before[0], step.now)) {
    return remove_channel(allocation, index, step.effects);
  }
  channel.deadline = fact.before[0];
  wheel_.schedule(timer(ObjectKind::kChannel, allocation.id.worker, index), channel.deadline);
  install_channel(allocation, index, {FactKind::kRestated, ObjectKind::kChannel, 0, 0, {}, {}}, step.effects);
}

void Sessions::give_up(WorkerIndex worker, const PendingFact& fact, Step& step) {
  Worker& owner = workers_[worker];
  switch (fact.object) {
    case ObjectKind::kAllocation:
      if (Allocation* allocation = find(SlotId{worker, fact.index, fact.generation})) {
        remove(*allocation, step.effects, EndReason::kRefused);
      }
      return;
    case ObjectKind::kPermission:
      if (owner.permissions.is_live(fact.index, fact.generation)) {
        Allocation& allocation = owner.allocations[owner.permissions[fact.index].allocation];
        const IpAddress peer = owner.permissions[fact.index].peer;
        remove_permission(allocation, fact.index, step.effects);
        restate_channels(allocation, peer, step.effects);
      }
      return;
    case ObjectKind::kChannel:
      if (owner.channels.is_live(fact.index, fact.generation)) {
        Allocation& allocation = owner.allocations[owner.channels[fact.index].allocation];
        remove_channel(allocation, fact.index, step.effects);
      }
      return;
  }
}

}  // namespace turnpike::turn
