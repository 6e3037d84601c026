// SPDX-License-Identifier: BSD-3-Clause
// Taking over what a former server left behind, and saying everything again to a worker.
#include "common/stun/channel_data.hpp"
#include "common/turn/five_tuple_hash.hpp"
#include "common/turn/session_note.hpp"
#include "common/turn/sessions.hpp"

namespace turnpike::turn {

namespace {

// Shared memory may say anything; equality and hashes want the one valid form.
bool is_canonical(const IpAddress& address) {
  if (address.is_v4()) return address == IpAddress::v4_bytes(address.bytes.data());
  return address.is_v6();
}

bool is_endpoint(const Endpoint& endpoint) {
  return endpoint.port != 0 && endpoint.reserved == 0 && is_canonical(endpoint.address);
}

bool is_tuple(const FiveTuple& tuple) {
  return is_endpoint(tuple.client) && is_endpoint(tuple.server) &&
         tuple.client.address.family == tuple.server.address.family;
}

}  // namespace

std::optional<RelayPort> Sessions::port_of(const RelayEndpoint& relay) const {
  if (!config_.relay_ports().contains(relay.port)) return std::nullopt;
  for (std::uint16_t address = 0; address < config_.relay_addresses.size(); ++address) {
    if (config_.relay_addresses[address].own == relay.address) return RelayPort{address, relay.port};
  }
  return std::nullopt;
}

bool Sessions::take_over(const FormerAllocation& former, Time now) {
  Worker& owner = workers_[former.id.worker];
  if (!owner.allocations.adopt(former.id.index, former.id.generation, former.live)) return false;
  if (former.id.generation == 0) {
    owner.allocations.release(former.id.index);
    return true;
  }
  const auto note = former.live ? read_note(former.note) : std::nullopt;
  Allocation& allocation = owner.allocations[former.id.index];
  allocation.id = former.id;
  allocation.five_tuple = former.five_tuple;
  const auto is_same = [&](FlatIndex::Ref candidate) {
    return workers_[worker_of(candidate)].allocations[index_of(candidate)].five_tuple == former.five_tuple;
  };
  const std::uint64_t hash = hash_value(former.five_tuple, seed_);
  const bool goes_on = note && is_tuple(former.five_tuple) &&
                       by_client_.find(hash, is_same) == FlatIndex::kNone &&
                       adopt_legs(allocation, former, now);
  if (!goes_on) {
    if (former.live) owner.allocations.retire(former.id.index);
    keep_away(former);
    return !former.live;
  }
  allocation.max_bps = std::min(former.max_bps, kLargestBps);
  allocation.user = commons_.rejoin({note->realm, note->user, note->account}, allocation.max_bps);
  allocation.created = note->created;
  allocation.created_by = note->created_by;
  allocation.has_reservation = note->reservation.has_value();
  if (note->reservation) allocation.reservation = *note->reservation;
  allocation.failure = note->failure;
  allocation.keeps_port = true;
  allocation.begun = true;
  by_client_.insert(hash, reference(former.id.worker, former.id.index));
  set_timer(allocation);
  return true;
}

bool Sessions::adopt_legs(Allocation& allocation, const FormerAllocation& former, Time now) {
  const WorkerIndex worker = former.id.worker;
  bool all = true;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const std::size_t i = family == Family::kIpv6 ? 1 : 0;
    const RelayEndpoint& relay = former.relays[i];
    if (relay.address.family == Family::kNone) continue;
    const auto port = relay.address.family == family ? port_of(relay) : std::nullopt;
    bool mine = port.has_value();
    if (mine && config_.multiplex_peer) {
      mine = config_.shared_ports().owner(relay.port) == worker && shared_ports_.join(*port);
    } else if (mine) {
      // A reserved port may be another server's, which has kept it for this one.
      mine = !ports_.owns(*port) || ports_.claim(*port);
    }
    if (mine) set_leg(allocation, family, *port, std::min(former.deadlines[i], now + config_.max_lifetime));
    all = all && mine;
  }
  if (all && (allocation.legs[0].present() || allocation.legs[1].present())) return true;
  drop_legs(allocation);
  return false;
}

void Sessions::drop_legs(Allocation& allocation) {
  for (RelayLeg& leg : allocation.legs) {
    if (!leg.present()) continue;
    if (config_.multiplex_peer) {
      shared_ports_.leave(leg.port);
    } else {
      by_relay_.erase(relay_hash(leg.own), reference(allocation.id.worker, allocation.id.index));
      ports_.put_back(leg.port);
    }
    leg = {};
  }
}

// What another allocation has by now is not the former one's any more.
void Sessions::keep_away(const FormerAllocation& former) {
  FormerSlot gone{ObjectKind::kAllocation, former.id, {}, {}};
  for (std::size_t i = 0; i < former.relays.size(); ++i) {
    const auto port = config_.multiplex_peer ? std::nullopt : port_of(former.relays[i]);
    if (port) gone.ports[i] = *port;
    gone.has_port[i] = port.has_value();
  }
  workers_[former.id.worker].former.push_back(gone);
}

bool Sessions::take_over(const FormerPermission& former, Time now) {
  Worker& owner = workers_[former.id.worker];
  if (!owner.permissions.adopt(former.id.index, former.id.generation, former.live)) return false;
  if (former.id.generation == 0) {
    owner.permissions.release(former.id.index);
    return true;
  }
  Allocation* allocation = former.live ? find(former.allocation) : nullptr;
  const bool goes_on = allocation != nullptr && is_canonical(former.peer) &&
                       allocation->leg(former.peer.family).present() &&
                       find_permission(*allocation, former.peer, Time::min()) == nullptr &&
                       allocation->permission_count < config_.max_permissions_per_allocation;
  if (!goes_on) {
    if (former.live) owner.permissions.retire(former.id.index);
    owner.former.push_back({ObjectKind::kPermission, former.id, {}, {}});
    return allocation == nullptr;
  }
  Permission& permission = owner.permissions[former.id.index];
  permission.peer = former.peer;
  permission.allocation = allocation->id.index;
  permission.deadline =
      std::min(former.deadline, now + std::max(config_.permission_lifetime, config_.channel_lifetime));
  permission.next = allocation->first_permission;
  allocation->first_permission = former.id.index;
  ++allocation->permission_count;
  share(*allocation, permission, former.id.index);
  allocation->peers.note(former.peer);
  wheel_.schedule(timer(ObjectKind::kPermission, former.id.worker, former.id.index), permission.deadline);
  return true;
}

bool Sessions::take_over(const FormerChannel& former, Time now) {
  Worker& owner = workers_[former.id.worker];
  if (!owner.channels.adopt(former.id.index, former.id.generation, former.live)) return false;
  if (former.id.generation == 0) {
    owner.channels.release(former.id.index);
    return true;
  }
  Allocation* allocation = former.live ? find(former.allocation) : nullptr;
  const bool well_formed = stun::is_channel_number(former.number, true) && is_endpoint(former.peer);
  bool goes_on = allocation != nullptr && well_formed &&
                 allocation->leg(former.peer.address.family).present() &&
                 find_channel(*allocation, former.number, Time::min()) == nullptr &&
                 find_channel(*allocation, former.peer, Time::min()) == nullptr &&
                 allocation->channel_count < config_.max_channels_per_allocation;
  if (goes_on && config_.multiplex_peer) {
    const RelayEndpoint& relay = allocation->leg(former.peer.address.family).own;
    goes_on = find_shared_channel(relay, former.peer) == FlatIndex::kNone;
  }
  if (!goes_on) {
    if (former.live) owner.channels.retire(former.id.index);
    owner.former.push_back({ObjectKind::kChannel, former.id, {}, {}});
    return allocation == nullptr;
  }
  Channel& channel = owner.channels[former.id.index];
  channel.peer = former.peer;
  channel.number = former.number;
  channel.allocation = allocation->id.index;
  channel.deadline = std::min(former.deadline, now + config_.channel_lifetime);
  channel.next = allocation->first_channel;
  allocation->first_channel = former.id.index;
  ++allocation->channel_count;
  share(*allocation, channel, former.id.index);
  wheel_.schedule(timer(ObjectKind::kChannel, former.id.worker, former.id.index), channel.deadline);
  return true;
}

void Sessions::take_over_port(const RelayEndpoint& relay) {
  if (config_.multiplex_peer) return;
  if (const auto port = port_of(relay)) ports_.claim(*port);
}

// A reservation lives in the note of the allocation that asked for it. A port that is not free any more has
// found its client.
void Sessions::take_over_rest(Time now) {
  for (Worker& owner : workers_) {
    owner.allocations.for_each_live([&](std::uint32_t index) {
      const Allocation& allocation = owner.allocations[index];
      if (!allocation.has_reservation || has_passed(allocation.created + config_.reservation_hold, now))
        return;
      RelayPort next = allocation.legs[0].present() ? allocation.legs[0].port : allocation.legs[1].port;
      ++next.port;
      if (!ports_.claim(next)) return;
      if (!commons_.hold_again(allocation.reservation, next, allocation.created)) ports_.put_back(next);
    });
    // After all live ones have theirs: these ports rest until the worker has let go.
    for (FormerSlot& gone : owner.former) {
      for (std::size_t i = 0; i < gone.ports.size(); ++i) {
        gone.has_port[i] = gone.has_port[i] && ports_.claim(gone.ports[i]);
      }
    }
  }
}

void Sessions::begin_restating(WorkerIndex worker) {
  workers_[worker].restating = true;
  workers_[worker].restated = 0;
}

bool Sessions::is_unsaid(const SlotId& allocation) const {
  const Worker& owner = workers_[allocation.worker];
  return owner.restating && allocation.index >= owner.restated;
}

// At the end a mark: applied, it says that all of it is.
bool Sessions::restate(WorkerIndex worker, std::size_t budget, Effects& effects) {
  Worker& owner = workers_[worker];
  if (!owner.restating) return false;
  for (; budget > 0 && !owner.former.empty(); --budget) {
    restate_gone(owner, owner.former.back(), effects);
    owner.former.pop_back();
  }
  for (; budget > 0 && owner.restated < owner.allocations.touched(); --budget) {
    const std::uint32_t index = owner.restated++;
    if (owner.allocations.is_live(index)) restate_one(owner.allocations[index], effects);
  }
  if (!owner.former.empty() || owner.restated < owner.allocations.touched()) return true;
  owner.restating = false;
  effects.push(Mark{owner.log.append({FactKind::kRemoved, ObjectKind::kAllocation, 0, 0, {}, {}}), worker});
  return false;
}

void Sessions::restate_gone(Worker& owner, const FormerSlot& gone, Effects& effects) {
  const std::uint64_t seq =
      owner.log.append({FactKind::kRemoved, gone.kind, gone.id.index, gone.id.generation, {}, {}});
  switch (gone.kind) {
    case ObjectKind::kAllocation:
      effects.push(RemoveAllocation{seq, gone.id});
      for (std::size_t i = 0; i < gone.ports.size(); ++i) {
        if (gone.has_port[i]) owner.log.retire(Retired::Kind::kPort, 0, gone.ports[i]);
      }
      return owner.log.retire(Retired::Kind::kAllocation, gone.id.index);
    case ObjectKind::kPermission:
      effects.push(RemovePermission{seq, gone.id, {}});
      return owner.log.retire(Retired::Kind::kPermission, gone.id.index);
    case ObjectKind::kChannel:
      effects.push(RemoveChannel{seq, gone.id, {}});
      return owner.log.retire(Retired::Kind::kChannel, gone.id.index);
  }
}

void Sessions::restate_one(Allocation& allocation, Effects& effects) {
  const auto& permissions = worker(allocation).permissions;
  const auto& channels = worker(allocation).channels;
  install(allocation, {FactKind::kRestated, ObjectKind::kAllocation, 0, 0, {}, {}}, effects);
  for (auto i = allocation.first_permission; i != kNoIndex; i = permissions[i].next) {
    install_permission(allocation, i, {FactKind::kRestated, ObjectKind::kPermission, 0, 0, {}, {}}, effects);
  }
  for (auto i = allocation.first_channel; i != kNoIndex; i = channels[i].next) {
    install_channel(allocation, i, {FactKind::kRestated, ObjectKind::kChannel, 0, 0, {}, {}}, effects);
  }
}

}  // namespace turnpike::turn
