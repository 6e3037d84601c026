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

std::vector<Ledger> ledgers_of(const shm::Region& region) {
  std::vector<Ledger> ledgers;
  for (std::uint32_t worker = 0; worker < region.capacity().workers; ++worker) {
    ledgers.emplace_back(region.ledger(static_cast<WorkerIndex>(worker)));
  }
  return ledgers;
}

}  // namespace

EffectWriter::EffectWriter(const shm::Region& region, CommandQueues& queues, NextHops& next_hops,
                           ClientTable& clients, std::uint64_t facts_before)
    : capacity_(region.capacity()),
      queues_(queues),
      next_hops_(next_hops),
      clients_(clients),
      book_(ledgers_of(region)),
      last_seq_(capacity_.workers, facts_before) {
  rebind_at_.worker = queues_.workers().size();
  next_hops_.set_mark_used([this](std::vector<bool>& used) { mark_used_next_hops(used); });
}

void EffectWriter::move_to(const shm::Region& region) {
  std::vector<Ledger> ledgers = ledgers_of(region);
  for (const WorkerIndex worker : queues_.workers()) ledgers[worker].copy_from(book_[worker]);
  book_ = std::move(ledgers);
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
            install(one, effects.bytes(one.note), origin);
          } else if constexpr (std::is_same_v<One, turn::Mark>) {
            mark(one);
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
void EffectWriter::push_fact(const turn::SlotId& allocation, shm::Command kind, std::uint64_t seq,
                             const Fact& fact) {
  if (seq != 0) last_seq_[allocation.worker] = seq;
  if (unsaid_ && unsaid_(allocation)) return;
  write_next_hops();  // a worker learns of the next hop before a fact names it
  queues_.push(allocation.worker, kind, seq, fact);
}

// Never unsaid: what is not there can be removed, and nobody will say it again.
void EffectWriter::push_remove(shm::Command kind, std::uint64_t seq, const turn::SlotId& removed,
                               const turn::SlotId& allocation) {
  if (seq != 0) last_seq_[removed.worker] = seq;
  queues_.push(removed.worker, kind, seq, shm::RemoveFact{slot_of(removed), slot_of(allocation)});
}

void EffectWriter::mark(const turn::Mark& effect) {
  last_seq_[effect.worker] = effect.seq;
  queues_.push(effect.worker, shm::Command::kMark, effect.seq, Bytes());
}

std::uint16_t EffectWriter::next_hop_to(const wire::IpAddress& peer, const wire::Endpoint& relay) {
  return next_hops_.resolve(peer, relay.address, nullptr);
}

void EffectWriter::install(const turn::InstallAllocation& effect, Bytes note, const RequestOrigin* origin) {
  if (!in_tables(effect.allocation, capacity_.allocations)) return;
  const std::uint32_t index = effect.allocation.index;
  Ledger& ledger = book_[effect.allocation.worker];
  shm::LedgerAllocation record = ledger.allocation(index);
  const bool same = index < ledger.allocations() && ledger.is_live(record) &&
                    record.fact.allocation.generation == effect.allocation.generation;
  if (!same) record = shm::LedgerAllocation{};
  const bool requested = origin != nullptr && origin->from == effect.five_tuple;
  if (requested) record.path = origin->path;
  if (!note.empty()) ledger.set_note(index, record, note);
  record.phase = shm::RecordPhase::kLive;
  record.transport = static_cast<std::uint8_t>(effect.five_tuple.transport);
  record.deadlines_ns = {nanoseconds(effect.deadlines[0]), nanoseconds(effect.deadlines[1])};
  shm::AllocationFact& fact = record.fact;
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
  } else {
    const bool has_path = requested || same;
    fact.client_next_hop =
        next_hops_.resolve(fact.client.address, fact.server.address, has_path ? &record.path : nullptr);
    if (has_path) paths_[effect.five_tuple] = record.path;
  }
  ledger.put(index, record);
  push_fact(effect.allocation, shm::Command::kInstallAllocation, effect.seq, fact);
}

void EffectWriter::install(const turn::InstallPermission& effect) {
  if (!in_tables(effect.permission, capacity_.permissions)) return;
  shm::LedgerPermission record{shm::RecordPhase::kLive, 0, {}};
  shm::PermissionFact& fact = record.fact;
  fact.permission = slot_of(effect.permission);
  fact.allocation = slot_of(effect.allocation);
  fact.relay = effect.relay;
  fact.peer = effect.peer;
  fact.next_hop = next_hop_to(effect.peer, effect.relay);
  fact.deadline_ns = nanoseconds(effect.deadline);
  book_[effect.permission.worker].put(effect.permission.index, record);
  push_fact(effect.allocation, shm::Command::kInstallPermission, effect.seq, fact);
}

void EffectWriter::install(const turn::InstallChannel& effect) {
  if (!in_tables(effect.channel, capacity_.channels)) return;
  shm::LedgerChannel record{shm::RecordPhase::kLive, 0, {}};
  shm::ChannelFact& fact = record.fact;
  fact.channel = slot_of(effect.channel);
  fact.allocation = slot_of(effect.allocation);
  fact.relay = effect.relay;
  fact.peer = effect.peer;
  fact.number = effect.number;
  fact.next_hop = next_hop_to(effect.peer.address, effect.relay);
  fact.deadline_ns = nanoseconds(effect.deadline);
  fact.permission_deadline_ns = nanoseconds(effect.permission_deadline);
  book_[effect.channel.worker].put(effect.channel.index, record);
  push_fact(effect.allocation, shm::Command::kInstallChannel, effect.seq, fact);
}

void EffectWriter::remove(const turn::RemoveAllocation& effect) {
  if (!in_tables(effect.allocation, capacity_.allocations)) return;
  Ledger& ledger = book_[effect.allocation.worker];
  shm::LedgerAllocation record = ledger.allocation(effect.allocation.index);
  if (record.fact.allocation.generation == effect.allocation.generation) {
    by_control(record.fact) ? clients_.unbind(effect.allocation) : gone_.push_back(tuple_of(record.fact));
    record.phase = shm::RecordPhase::kRemoved;
    ledger.put(effect.allocation.index, record);
  }
  push_remove(shm::Command::kRemoveAllocation, effect.seq, effect.allocation, effect.allocation);
}

void EffectWriter::remove(const turn::RemovePermission& effect) {
  if (!in_tables(effect.permission, capacity_.permissions)) return;
  Ledger& ledger = book_[effect.permission.worker];
  shm::LedgerPermission record = ledger.permission(effect.permission.index);
  if (record.fact.permission.generation == effect.permission.generation) {
    record.phase = shm::RecordPhase::kRemoved;
    ledger.put(effect.permission.index, record);
  }
  push_remove(shm::Command::kRemovePermission, effect.seq, effect.permission, effect.allocation);
}

void EffectWriter::remove(const turn::RemoveChannel& effect) {
  if (!in_tables(effect.channel, capacity_.channels)) return;
  Ledger& ledger = book_[effect.channel.worker];
  shm::LedgerChannel record = ledger.channel(effect.channel.index);
  if (record.fact.channel.generation == effect.channel.generation) {
    record.phase = shm::RecordPhase::kRemoved;
    ledger.put(effect.channel.index, record);
  }
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
  const Ledger& ledger = book_[queues_.workers()[rebind_at_.worker]];
  const auto look = [&](std::uint32_t count, const auto& record_at) {
    if (index >= count) return false;
    if (const auto& record = record_at(index); ledger.is_live(record)) rebind(index, record);
    return true;
  };
  switch (rebind_at_.table) {
    case RebindTable::kAllocations:
      return look(
          ledger.allocations(), [&](auto i) -> const auto& { return ledger.allocation(i); });
    case RebindTable::kPermissions:
      return look(
          ledger.permissions(), [&](auto i) -> const auto& { return ledger.permission(i); });
    case RebindTable::kChannels:
      break;
  }
  return look(
      ledger.channels(), [&](auto i) -> const auto& { return ledger.channel(i); });
}

template <typename Record>
void EffectWriter::repeat(shm::Command kind, std::uint32_t index, Record& record, std::uint16_t& next_hop,
                          std::uint16_t now) {
  if (std::exchange(next_hop, now) == now) return;
  ++counters_.rebound;
  const WorkerIndex worker = queues_.workers()[rebind_at_.worker];
  book_[worker].put(index, record);
  const shm::Slot& owner = record.fact.allocation;
  push_fact({worker, owner.index, owner.generation}, kind, 0, record.fact);
}

void EffectWriter::rebind(std::uint32_t index, shm::LedgerAllocation record) {
  shm::AllocationFact& fact = record.fact;
  if (by_control(fact)) return;
  const auto now = next_hops_.resolve(fact.client.address, fact.server.address, &record.path);
  repeat(shm::Command::kInstallAllocation, index, record, fact.client_next_hop, now);
}

void EffectWriter::rebind(std::uint32_t index, shm::LedgerPermission record) {
  shm::PermissionFact& fact = record.fact;
  repeat(shm::Command::kInstallPermission, index, record, fact.next_hop, next_hop_to(fact.peer, fact.relay));
}

void EffectWriter::rebind(std::uint32_t index, shm::LedgerChannel record) {
  shm::ChannelFact& fact = record.fact;
  repeat(shm::Command::kInstallChannel, index, record, fact.next_hop,
         next_hop_to(fact.peer.address, fact.relay));
}

void EffectWriter::mark_used_next_hops(std::vector<bool>& used) {
  for (const WorkerIndex worker : queues_.workers()) {
    book_[worker].for_each_next_hop([&](std::uint16_t index) {
      if (index < used.size()) used[index] = true;
    });
  }
}

}  // namespace turnpike::control
