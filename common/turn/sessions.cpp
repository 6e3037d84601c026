// SPDX-License-Identifier: BSD-3-Clause
// The life of allocations: made, found, refreshed, run out, removed.
#include "common/turn/sessions.hpp"

#include "common/turn/five_tuple_hash.hpp"
#include "common/turn/session_note.hpp"

namespace turnpike::turn {

namespace {

std::vector<Family> families_of(const std::vector<RelayAddress>& addresses) {
  std::vector<Family> families;
  for (const RelayAddress& address : addresses) families.push_back(address.own.family);
  return families;
}

// A pool of no ports while they are shared.
PortPool::Range pool_range(const Config& config) {
  if (config.multiplex_peer) return {1, 0, config.workers, config.port_rest, config.share};
  return {config.min_port, config.max_port, config.workers, config.port_rest, config.share};
}

}  // namespace

Sessions::Sessions(const Config& config, RandomSource& random, ServerCounters& counters,
                   const OwnAddresses& own, Commons& commons, SessionObserver& observer)
    : config_(config),
      counters_(counters),
      own_(own),
      commons_(commons),
      observer_(observer),
      seed_(random.value<std::uint64_t>()),
      ports_(families_of(config.relay_addresses), pool_range(config), random),
      shared_ports_(families_of(config.relay_addresses), config.shared_ports(), config.port_rest),
      wheel_(*this) {
  for (WorkerIndex worker = 0; worker < config.workers; ++worker) workers_.emplace_back(config);
}

Allocation* Sessions::find(const FiveTuple& client, Step& step) {
  const auto ref = by_client_.find(hash_value(client, seed_), [&](FlatIndex::Ref candidate) {
    return workers_[worker_of(candidate)].allocations[index_of(candidate)].five_tuple == client;
  });
  if (ref == FlatIndex::kNone) return nullptr;
  Allocation& allocation = workers_[worker_of(ref)].allocations[index_of(ref)];
  return expire_legs(allocation, step) ? nullptr : &allocation;
}

Allocation* Sessions::find(SlotId id) {
  if (id.worker >= workers_.size()) return nullptr;
  auto& allocations = workers_[id.worker].allocations;
  return allocations.is_live(id.index, id.generation) ? &allocations[id.index] : nullptr;
}

Allocation& Sessions::create(const NewAllocation& spec, Step& step) {
  Worker& owner = workers_[spec.worker];
  const std::uint32_t index = *owner.allocations.take();
  Allocation& allocation = owner.allocations[index];
  allocation.id = {spec.worker, index, owner.allocations.generation(index)};
  allocation.five_tuple = spec.five_tuple;
  allocation.user = spec.user;
  allocation.created_by = spec.transaction;
  allocation.created = step.now;
  allocation.failure = spec.failure;
  if (spec.reservation) {
    allocation.has_reservation = true;
    allocation.reservation = *spec.reservation;
  }
  allocation.wish = spec.wish;
  allocation.keeps_port = spec.keeps_port;
  allocation.max_bps = spec.max_bps;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (const auto& port = spec.ports[family == Family::kIpv6 ? 1 : 0]) {
      set_leg(allocation, family, *port, spec.deadline);
    }
  }
  by_client_.insert(hash_value(spec.five_tuple, seed_), reference(spec.worker, index));
  set_timer(allocation);
  allocation.installed_by =
      install(allocation, {FactKind::kNewAllocation, ObjectKind::kAllocation, 0, 0, {}, {}}, step.effects);
  ++counters_.allocations_created;
  return allocation;
}

void Sessions::set_leg(Allocation& allocation, Family family, RelayPort port, Time deadline) {
  RelayLeg& leg = allocation.leg(family);
  leg = {RelayEndpoint({config_.relay_addresses[port.address].own, 0, port.port}), port, deadline};
  if (config_.multiplex_peer) return;
  by_relay_.insert(relay_hash(leg.own), reference(allocation.id.worker, allocation.id.index));
}

std::optional<RelayPort> Sessions::take_port(Family family, WorkerIndex worker, PortWish wish, Time now) {
  if (config_.multiplex_peer) return shared_ports_.take(family, worker, now);
  return ports_.take(family, worker, wish, now);
}

void Sessions::change_ports(Allocation& allocation, const NewAllocation& spec, Step& step) {
  RelayLeg old[2];
  for (int i = 0; i < 2; ++i) {
    const Family family = i == 0 ? Family::kIpv4 : Family::kIpv6;
    old[i] = std::exchange(allocation.legs[i], RelayLeg{});
    if (spec.ports[i]) set_leg(allocation, family, *spec.ports[i], old[i].deadline);
  }
  set_timer(allocation);
  allocation.installed_by =
      install(allocation, {FactKind::kNewAllocation, ObjectKind::kAllocation, 0, 0, {}, {}}, step.effects);
  for (const RelayLeg& leg : old) retire_leg(allocation, leg);
}

void Sessions::rest_shared_ports(const Allocation& allocation, Time now) {
  if (!config_.multiplex_peer) return;
  for (const RelayLeg& leg : allocation.legs) {
    if (leg.present()) shared_ports_.rest(leg.port, now);
  }
}

void Sessions::take_back_ports(Time now) {
  for (const Commons::ReturnedPort& returned : commons_.take_returned(config_.share, now)) {
    returned.rests ? ports_.release(returned.port, now) : ports_.put_back(returned.port);
  }
}

void Sessions::refresh(Allocation& allocation, std::span<const Family> families, Time deadline,
                       std::uint64_t max_bps, Step& step) {
  PendingFact fact{FactKind::kRefreshedAllocation, ObjectKind::kAllocation, 0, 0, {}, {}};
  for (int i = 0; i < 2; ++i) fact.before[i] = allocation.legs[i].deadline;
  for (const Family family : families) {
    if (allocation.leg(family).present()) allocation.leg(family).deadline = deadline;
  }
  for (int i = 0; i < 2; ++i) fact.after[i] = allocation.legs[i].deadline;
  allocation.max_bps = max_bps;
  set_timer(allocation);
  install(allocation, fact, step.effects);
}

void Sessions::remove_family(Allocation& allocation, Family family, Effects& effects) {
  const Family other = family == Family::kIpv4 ? Family::kIpv6 : Family::kIpv4;
  if (!allocation.leg(other).present()) return remove(allocation, effects, EndReason::kDeleted);
  Worker& owner = worker(allocation);
  for (std::uint32_t index = allocation.first_channel; index != kNoIndex;) {
    const Channel& channel = owner.channels[index];
    const std::uint32_t next = channel.next;
    if (channel.peer.address.family == family) remove_channel(allocation, index, effects);
    index = next;
  }
  for (std::uint32_t index = allocation.first_permission; index != kNoIndex;) {
    const Permission& permission = owner.permissions[index];
    const std::uint32_t next = permission.next;
    if (permission.peer.family == family) remove_permission(allocation, index, effects);
    index = next;
  }
  RelayLeg leg = allocation.leg(family);
  allocation.leg(family) = {};
  set_timer(allocation);
  install(allocation, {FactKind::kRestated, ObjectKind::kAllocation, 0, 0, {}, {}}, effects);
  retire_leg(allocation, leg);
}

void Sessions::remove(Allocation& allocation, Effects& effects, EndReason reason) {
  report_end(allocation, reason);
  Worker& owner = worker(allocation);
  const std::uint64_t seq = owner.log.append(
      {FactKind::kRemoved, ObjectKind::kAllocation, allocation.id.index, allocation.id.generation, {}, {}});
  effects.push(RemoveAllocation{seq, allocation.id});
  while (allocation.first_channel != kNoIndex) detach_channel(allocation, allocation.first_channel);
  while (allocation.first_permission != kNoIndex) detach_permission(allocation, allocation.first_permission);
  for (const RelayLeg& leg : allocation.legs) retire_leg(allocation, leg);
  wheel_.cancel(timer(ObjectKind::kAllocation, allocation.id.worker, allocation.id.index));
  by_client_.erase(hash_value(allocation.five_tuple, seed_),
                   reference(allocation.id.worker, allocation.id.index));
  commons_.leave(allocation.user, std::exchange(allocation.max_bps, 0));
  owner.allocations.retire(allocation.id.index);
  owner.log.retire(Retired::Kind::kAllocation, allocation.id.index);
}

void Sessions::retire_leg(Allocation& allocation, const RelayLeg& leg) {
  if (!leg.present()) return;
  if (config_.multiplex_peer) return shared_ports_.leave(leg.port);  // others stay on it anyway
  by_relay_.erase(relay_hash(leg.own), reference(allocation.id.worker, allocation.id.index));
  worker(allocation).log.retire(Retired::Kind::kPort, 0, leg.port);
}

bool Sessions::expire_legs(Allocation& allocation, Step& step) {
  if (has_passed(allocation.deadline(), step.now)) {
    remove(allocation, step.effects, EndReason::kExpired);
    ++counters_.allocations_expired;
    return true;
  }
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const RelayLeg& leg = allocation.leg(family);
    if (leg.present() && has_passed(leg.deadline, step.now)) remove_family(allocation, family, step.effects);
  }
  return false;
}

void Sessions::set_timer(const Allocation& allocation) {
  Time first = kNever;
  for (const RelayLeg& leg : allocation.legs) {
    if (leg.present() && leg.deadline < first) first = leg.deadline;
  }
  wheel_.schedule(timer(ObjectKind::kAllocation, allocation.id.worker, allocation.id.index), first);
}

std::uint64_t Sessions::install(Allocation& allocation, PendingFact fact, Effects& effects) {
  fact.index = allocation.id.index;
  fact.generation = allocation.id.generation;
  const std::uint64_t seq = worker(allocation).log.append(fact);
  Payload note;
  if (fact.kind == FactKind::kNewAllocation) {
    note_.clear();
    write_note(note_of(allocation), note_);
    note = effects.append(note_);
  }
  effects.push(InstallAllocation{seq,
                                 allocation.id,
                                 allocation.five_tuple,
                                 allocation.legs[0].own,
                                 allocation.legs[1].own,
                                 allocation.deadline(),
                                 allocation.max_bps,
                                 {allocation.legs[0].deadline, allocation.legs[1].deadline},
                                 note});
  return seq;
}

TimerNode& Sessions::timer_node(TimerRef ref) {
  Worker& owner = workers_[static_cast<WorkerIndex>(ref >> 32)];
  const auto index = static_cast<std::uint32_t>(ref);
  switch (static_cast<ObjectKind>(ref >> 48)) {
    case ObjectKind::kPermission:
      return owner.permissions[index].timer;
    case ObjectKind::kChannel:
      return owner.channels[index].timer;
    case ObjectKind::kAllocation:
      break;
  }
  return owner.allocations[index].timer;
}

void Sessions::expire(Step& step) {
  wheel_.advance(step.now, [&](TimerRef ref) { expire_one(ref, step); });
}

void Sessions::expire_one(TimerRef ref, Step& step) {
  Worker& owner = workers_[static_cast<WorkerIndex>(ref >> 32)];
  const auto index = static_cast<std::uint32_t>(ref);
  switch (static_cast<ObjectKind>(ref >> 48)) {
    case ObjectKind::kAllocation: {
      expire_legs(owner.allocations[index], step);
      break;
    }
    case ObjectKind::kPermission: {
      remove_permission(owner.allocations[owner.permissions[index].allocation], index, step.effects);
      ++counters_.permissions_expired;
      break;
    }
    case ObjectKind::kChannel: {
      remove_channel(owner.allocations[owner.channels[index].allocation], index, step.effects);
      ++counters_.channels_expired;
      break;
    }
  }
}

void Sessions::confirm(WorkerIndex worker, std::uint64_t seq, Time now) {
  if (worker >= workers_.size()) return;
  Worker& owner = workers_[worker];
  const auto applied = [&](std::uint64_t fact_seq, const PendingFact& fact) {
    if (fact.kind == FactKind::kNewAllocation) report_begin(worker, fact_seq, fact);
  };
  owner.log.confirm(seq, applied, [&](const Retired& retired) {
    switch (retired.kind) {
      case Retired::Kind::kAllocation:
        return owner.allocations.release(retired.index);
      case Retired::Kind::kPermission:
        return owner.permissions.release(retired.index);
      case Retired::Kind::kChannel:
        return owner.channels.release(retired.index);
      case Retired::Kind::kPort:
        return release_port(retired.port, now);
    }
  });
}

// A reserved port may be another server's, which alone can give it out again.
void Sessions::release_port(RelayPort port, Time now) {
  if (ports_.owns(port)) return ports_.release(port, now);
  commons_.give_back(port);
}

void Sessions::for_each(const std::function<void(const Allocation&)>& visit) const {
  for (const Worker& owner : workers_) {
    owner.allocations.for_each_live([&](std::uint32_t index) { visit(owner.allocations[index]); });
  }
}

void Sessions::for_each_permission(const Allocation& allocation,
                                   const std::function<void(const Permission&)>& visit) const {
  const auto& permissions = workers_[allocation.id.worker].permissions;
  for (auto index = allocation.first_permission; index != kNoIndex; index = permissions[index].next) {
    visit(permissions[index]);
  }
}

void Sessions::for_each_channel(const Allocation& allocation,
                                const std::function<void(const Channel&)>& visit) const {
  const auto& channels = workers_[allocation.id.worker].channels;
  for (auto index = allocation.first_channel; index != kNoIndex; index = channels[index].next)
    visit(channels[index]);
}

}  // namespace turnpike::turn
