// SPDX-License-Identifier: BSD-3-Clause
// Effects to commands.
#include "control/dataplane_link/effect_writer.hpp"

#include <type_traits>
#include <utility>
#include <variant>

namespace turnpike::control {
namespace {

shm::Slot slot_of(const turn::SlotId& id) { return {id.index, id.generation}; }

std::uint64_t nanoseconds(Time time) { return static_cast<std::uint64_t>(time.count()); }

bool by_control(const shm::AllocationFact& fact) { return fact.client_next_hop == shm::kServedByControl; }

// Of clients whose packets pass through the dataplane.
turn::FiveTuple tuple_of(const shm::AllocationFact& fact) {
  return {wire::ClientEndpoint(fact.client), wire::ServerEndpoint(fact.server), turn::Transport::kUdp};
}

}  // namespace

EffectWriter::EffectWriter(const shm::Capacity& capacity, CommandQueues& queues, NextHops& next_hops,
                           ClientTable& clients)
    : capacity_(capacity),
      queues_(queues),
      next_hops_(next_hops),
      clients_(clients),
      book_(capacity.workers),
      last_seq_(capacity.workers, 0) {
  rebind_at_.worker = book_.size();
  next_hops_.set_mark_used([this](std::vector<bool>& used) { mark_used_next_hops(used); });
}

void EffectWriter::write(const turn::Effects& effects, const RequestOrigin* origin) {
  if (origin != nullptr) {
    if (const auto known = paths_.find(origin->from); known != paths_.end()) known->second = origin->path;
  }
  for (const turn::Effect& effect : effects.list()) {
    std::visit(
        [&](const auto& one) {
          using One = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<One, turn::SendReply>) {
            reply(one, effects.bytes(one.message), origin);
          } else if constexpr (std::is_same_v<One, turn::RelayToPeer>) {
            relay(one, effects.bytes(one.data));
          } else if constexpr (std::is_same_v<One, turn::InstallAllocation>) {
            install(one, origin);
          } else if constexpr (requires { install(one); }) {
            install(one);
          } else if constexpr (requires { remove(one); }) {
            remove(one);
          } else {
            // Workers themselves decide what peers' data is for whom.
            static_assert(std::is_same_v<One, turn::RelayToClient>);
          }
        },
        effect);
  }
  for (const turn::FiveTuple& tuple : std::exchange(gone_, {})) paths_.erase(tuple);
}

void EffectWriter::write_next_hops() {
  for (const shm::NextHop& hop : next_hops_.take_changes())
    queues_.push_to_workers(shm::Command::kSetNextHop, hop);
}

bool EffectWriter::in_tables(const turn::SlotId& slot, std::uint32_t capacity) {
  if (slot.worker < capacity_.workers && slot.index < capacity && slot.generation != 0) return true;
  ++counters_.outside_tables;
  return false;
}

template <typename Fact>
void EffectWriter::push_fact(WorkerIndex worker, shm::Command kind, std::uint64_t seq, const Fact& fact) {
  write_next_hops();  // a worker learns of the next hop before a fact names it
  queues_.push(worker, kind, seq, fact);
  if (seq != 0) last_seq_[worker] = seq;
}

void EffectWriter::push_remove(shm::Command kind, std::uint64_t seq, const turn::SlotId& removed,
                               const turn::SlotId& allocation) {
  push_fact(removed.worker, kind, seq, shm::RemoveFact{slot_of(removed), slot_of(allocation)});
}

std::uint16_t EffectWriter::next_hop_to(const wire::IpAddress& peer, const wire::Endpoint& relay) {
  return next_hops_.resolve(peer, relay.address, nullptr);
}

void EffectWriter::install(const turn::InstallAllocation& effect, const RequestOrigin* origin) {
  if (!in_tables(effect.allocation, capacity_.allocations)) return;
  KnownAllocation& known = book_[effect.allocation.worker].allocations.at(effect.allocation.index);
  const bool same = known.fact.allocation.generation == effect.allocation.generation;
  if (!same) known = KnownAllocation{};
  const bool requested = origin != nullptr && origin->from == effect.five_tuple;
  if (requested) known.path = origin->path;
  shm::AllocationFact& fact = known.fact;
  fact.allocation = slot_of(effect.allocation);
  fact.client = effect.five_tuple.client;
  fact.server = effect.five_tuple.server;
  fact.relay_v4 = effect.relay_v4;
  fact.relay_v6 = effect.relay_v6;
  fact.deadline_ns = nanoseconds(effect.deadline);
  fact.max_bps = effect.max_bps;
  if (effect.five_tuple.transport != turn::Transport::kUdp) {
    fact.client_next_hop = shm::kServedByControl;
    clients_.bind(effect.allocation, effect.five_tuple);
    return push_fact(effect.allocation.worker, shm::Command::kInstallAllocation, effect.seq, fact);
  }
  const bool has_path = requested || same;
  fact.client_next_hop =
      next_hops_.resolve(fact.client.address, fact.server.address, has_path ? &known.path : nullptr);
  if (has_path) paths_[effect.five_tuple] = known.path;
  push_fact(effect.allocation.worker, shm::Command::kInstallAllocation, effect.seq, fact);
}

void EffectWriter::install(const turn::InstallPermission& effect) {
  if (!in_tables(effect.permission, capacity_.permissions)) return;
  shm::PermissionFact& fact = book_[effect.permission.worker].permissions.at(effect.permission.index);
  fact = shm::PermissionFact{};
  fact.permission = slot_of(effect.permission);
  fact.allocation = slot_of(effect.allocation);
  fact.relay = effect.relay;
  fact.peer = effect.peer;
  fact.next_hop = next_hop_to(effect.peer, effect.relay);
  fact.deadline_ns = nanoseconds(effect.deadline);
  push_fact(effect.permission.worker, shm::Command::kInstallPermission, effect.seq, fact);
}

void EffectWriter::install(const turn::InstallChannel& effect) {
  if (!in_tables(effect.channel, capacity_.channels)) return;
  shm::ChannelFact& fact = book_[effect.channel.worker].channels.at(effect.channel.index);
  fact = shm::ChannelFact{};
  fact.channel = slot_of(effect.channel);
  fact.allocation = slot_of(effect.allocation);
  fact.relay = effect.relay;
  fact.peer = effect.peer;
  fact.number = effect.number;
  fact.next_hop = next_hop_to(effect.peer.address, effect.relay);
  fact.deadline_ns = nanoseconds(effect.deadline);
  fact.permission_deadline_ns = nanoseconds(effect.permission_deadline);
  push_fact(effect.channel.worker, shm::Command::kInstallChannel, effect.seq, fact);
}

void EffectWriter::remove(const turn::RemoveAllocation& effect) {
  if (!in_tables(effect.allocation, capacity_.allocations)) return;
  KnownAllocation& known = book_[effect.allocation.worker].allocations.at(effect.allocation.index);
  if (known.fact.allocation.generation == effect.allocation.generation) {
    by_control(known.fact) ? clients_.unbind(effect.allocation) : gone_.push_back(tuple_of(known.fact));
    known = KnownAllocation{};
  }
  push_remove(shm::Command::kRemoveAllocation, effect.seq, effect.allocation, effect.allocation);
}

void EffectWriter::remove(const turn::RemovePermission& effect) {
  if (!in_tables(effect.permission, capacity_.permissions)) return;
  shm::PermissionFact& fact = book_[effect.permission.worker].permissions.at(effect.permission.index);
  if (fact.permission.generation == effect.permission.generation) fact = shm::PermissionFact{};
  push_remove(shm::Command::kRemovePermission, effect.seq, effect.permission, effect.allocation);
}

void EffectWriter::remove(const turn::RemoveChannel& effect) {
  if (!in_tables(effect.channel, capacity_.channels)) return;
  shm::ChannelFact& fact = book_[effect.channel.worker].channels.at(effect.channel.index);
  if (fact.channel.generation == effect.channel.generation) fact = shm::ChannelFact{};
  push_remove(shm::Command::kRemoveChannel, effect.seq, effect.channel, effect.allocation);
}

void EffectWriter::relay(const turn::RelayToPeer& effect, Bytes data) {
  if (!in_tables(effect.allocation, capacity_.allocations)) return;
  shm::SendToPeer head;
  head.allocation = slot_of(effect.allocation);
  head.peer = effect.peer;
  head.channel = effect.channel;
  head.dont_fragment = effect.dont_fragment ? 1 : 0;
  queues_.push_media(effect.allocation.worker, head, data);
}

void EffectWriter::reply(const turn::SendReply& effect, Bytes message, const RequestOrigin* origin) {
  if (effect.to.transport != turn::Transport::kUdp) return clients_.reply(effect, message);
  shm::SendDatagram datagram;
  if (origin != nullptr && origin->from == effect.to) {
    datagram.path = origin->path;
  } else if (const auto known = paths_.find(effect.to); known != paths_.end()) {
    datagram.path = known->second;
  } else {
    ++counters_.replies_without_path;
    return;
  }
  datagram.from = effect.to.server;
  datagram.to = effect.to.client;
  datagram.first_fact = effect.first_fact;
  datagram.last_fact = effect.last_fact;
  if (effect.worker < capacity_.workers && queues_.push_datagram(effect.worker, datagram, message)) {
    ++counters_.replies;
  }
}

bool EffectWriter::rebind_some(std::size_t budget) {
  for (; rebinding() && budget > 0; --budget) {
    if (rebind_at(rebind_at_.index)) {
      ++rebind_at_.index;
    } else if (rebind_at_.table == RebindTable::kChannels) {
      rebind_at_ = {rebind_at_.worker + 1};
    } else {
      rebind_at_.table = static_cast<RebindTable>(static_cast<int>(rebind_at_.table) + 1);
      rebind_at_.index = 0;
    }
  }
  write_next_hops();
  return rebinding();
}

bool EffectWriter::rebind_at(std::uint32_t index) {
  WorkerFacts& facts = book_[rebind_at_.worker];
  const auto look = [&](auto& table, auto is_live) {
    if (index >= table.size()) return false;
    if (is_live(table.at(index))) rebind(table.at(index));
    return true;
  };
  switch (rebind_at_.table) {
    case RebindTable::kAllocations:
      return look(facts.allocations,
                  [](const KnownAllocation& known) { return known.fact.allocation.generation != 0; });
    case RebindTable::kPermissions:
      return look(facts.permissions, [&](const auto& fact) { return facts.is_live(fact); });
    case RebindTable::kChannels:
      break;
  }
  return look(facts.channels, [&](const auto& fact) { return facts.is_live(fact); });
}

template <typename Fact>
void EffectWriter::repeat(shm::Command kind, std::uint16_t& next_hop, std::uint16_t now, const Fact& fact) {
  if (std::exchange(next_hop, now) == now) return;
  ++counters_.rebound;
  push_fact(static_cast<WorkerIndex>(rebind_at_.worker), kind, 0, fact);
}

void EffectWriter::rebind(KnownAllocation& known) {
  shm::AllocationFact& fact = known.fact;
  if (by_control(fact)) return;
  const auto now = next_hops_.resolve(fact.client.address, fact.server.address, &known.path);
  repeat(shm::Command::kInstallAllocation, fact.client_next_hop, now, fact);
}

void EffectWriter::rebind(shm::PermissionFact& fact) {
  repeat(shm::Command::kInstallPermission, fact.next_hop, next_hop_to(fact.peer, fact.relay), fact);
}

void EffectWriter::rebind(shm::ChannelFact& fact) {
  repeat(shm::Command::kInstallChannel, fact.next_hop, next_hop_to(fact.peer.address, fact.relay), fact);
}

void EffectWriter::mark_used_next_hops(std::vector<bool>& used) {
  for (WorkerFacts& facts : book_) {
    facts.for_each_next_hop([&](std::uint16_t index) {
      if (index < used.size()) used[index] = true;
    });
  }
}

}  // namespace turnpike::control
