// SPDX-License-Identifier: BSD-3-Clause
// What outlives one of the two processes: a new control goes on with the ledger of the former one, and a new
// dataplane is told everything again.
#include <algorithm>

#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"
#include "control/runtime/engine.hpp"

namespace turnpike::control {
namespace {

constexpr std::size_t kRestateBudget = 64;  // allocations of one worker in one pass

turn::SlotId slot_id(WorkerIndex worker, std::uint32_t index, std::uint32_t generation) {
  return {worker, index, generation};
}

turn::SlotId owner_of(WorkerIndex worker, const shm::Slot& slot) {
  return {worker, slot.index, slot.generation};
}

turn::FiveTuple tuple_of(const shm::LedgerAllocation& record) {
  return {wire::ClientEndpoint(record.fact.client), wire::ServerEndpoint(record.fact.server),
          static_cast<turn::Transport>(record.transport)};
}

// A slot that was never used has no generation, whatever else stands there.
template <typename Record>
std::uint32_t generation_of(const Record& record, const shm::Slot& slot) {
  return record.phase == shm::RecordPhase::kUnused ? 0 : slot.generation;
}

std::vector<bool> next_hops_in_use(const std::vector<WorkerIndex>& workers, EffectWriter& writer) {
  std::vector<bool> used;
  for (const WorkerIndex worker : workers) {
    writer.ledger(worker).for_each_next_hop([&](std::uint16_t index) {
      if (index >= shm::kMaxNextHops) return;
      if (index >= used.size()) used.resize(index + 1u, false);
      used[index] = true;
    });
  }
  return used;
}

}  // namespace

Engine::TakenOver Engine::take_over(Time now) {
  TakenOver result;
  for (const WorkerIndex worker : queues_.workers()) {
    if (!writer_.ledger(worker).recover()) spdlog::warn("ledger of worker {}: damaged journal", worker);
  }
  next_hops_.hold(next_hops_in_use(queues_.workers(), writer_));
  const Ledger& first = writer_.ledger(queues_.workers().front());
  if (first.nonce_keys().phase == shm::RecordPhase::kLive) {
    const shm::LedgerNonceKeys keys = first.nonce_keys();
    server_.take_over(turn::NonceKeys::State{keys.keys, std::min(time_of(keys.rotated_at_ns), now)});
  }
  for (const WorkerIndex worker : queues_.workers()) {
    Ledger& ledger = writer_.ledger(worker);
    for (std::uint32_t i = 0; i < ledger.allocations(); ++i) {
      if (!take_over(ledger, worker, i, now)) ++result.lost;
    }
    for (std::uint32_t i = 0; i < ledger.permissions(); ++i) {
      const shm::LedgerPermission record = ledger.permission(i);
      const shm::PermissionFact& fact = record.fact;
      const std::uint32_t generation = generation_of(record, fact.permission);
      server_.take_over(
          turn::FormerPermission{slot_id(worker, i, generation), ledger.is_live(record),
                                 owner_of(worker, fact.allocation), fact.peer, time_of(fact.deadline_ns)},
          now);
    }
    for (std::uint32_t i = 0; i < ledger.channels(); ++i) {
      const shm::LedgerChannel record = ledger.channel(i);
      const shm::ChannelFact& fact = record.fact;
      const std::uint32_t generation = generation_of(record, fact.channel);
      server_.take_over(turn::FormerChannel{slot_id(worker, i, generation), ledger.is_live(record),
                                            owner_of(worker, fact.allocation), wire::PeerEndpoint(fact.peer),
                                            fact.number, time_of(fact.deadline_ns)},
                        now);
    }
  }
  result.lost += ended_.size();
  result.sessions = server_.allocation_count() - ended_.size();
  return result;
}

// False: it lived, and cannot go on.
bool Engine::take_over(Ledger& ledger, WorkerIndex worker, std::uint32_t index, Time now) {
  const shm::LedgerAllocation record = ledger.allocation(index);
  turn::FormerAllocation former;
  former.id = slot_id(worker, index, generation_of(record, record.fact.allocation));
  former.five_tuple = tuple_of(record);
  const bool known_transport = record.transport <= static_cast<std::uint8_t>(turn::Transport::kDtls);
  const bool by_control = known_transport && former.five_tuple.transport != turn::Transport::kUdp;
  const bool served = by_control || reader_.listens_at(former.five_tuple.server);
  const bool lived = ledger.is_live(record);
  former.live = lived && known_transport && served;
  former.relays = {wire::RelayEndpoint(record.fact.relay_v4), wire::RelayEndpoint(record.fact.relay_v6)};
  former.deadlines = {time_of(record.deadlines_ns[0]), time_of(record.deadlines_ns[1])};
  former.max_bps = record.fact.max_bps;
  former.note = ledger.note(index);
  const bool goes_on = server_.take_over(former, now) && former.live;
  if (goes_on && by_control) ended_.push_back(former.five_tuple);
  if (goes_on && !by_control) writer_.take_over(former.five_tuple, record.path);
  return goes_on || !lived;
}

void Engine::take_over_ports(const WorkerShare& others) {
  for (WorkerIndex worker = 0; worker < attachment_.workers(); ++worker) {
    if (!others.has(worker)) continue;
    const Ledger& ledger = writer_.ledger(worker);
    for (std::uint32_t i = 0; i < ledger.allocations(); ++i) {
      const shm::LedgerAllocation record = ledger.allocation(i);
      if (!ledger.is_live(record)) continue;
      for (const wire::Endpoint& relay : {record.fact.relay_v4, record.fact.relay_v6}) {
        if (relay.address.family != wire::Family::kNone) server_.take_over_port(wire::RelayEndpoint(relay));
      }
    }
  }
}

// The connections of clients on TCP, TLS and DTLS ended with the former control, and so do their allocations.
void Engine::take_over_rest(Time now) {
  server_.take_over_rest(now);
  for (const turn::FiveTuple& client : ended_) on_client_gone(client, now);
  ended_.clear();
  begin_restating();
}

void Engine::begin_restating() {
  restating_ = queues_.workers();
  for (const WorkerIndex worker : restating_) server_.begin_restating(worker);
}

bool Engine::restate_some() {
  if (!queues_.connected() || restating_.empty()) return false;
  bool said = false;
  std::erase_if(restating_, [&](WorkerIndex worker) {
    if (queues_.congested(worker)) return false;
    effects_.clear();
    const bool more = server_.restate(worker, kRestateBudget, effects_);
    write_effects(nullptr);
    restate_traffic();
    said = true;
    return !more;
  });
  // The workers take these facts before any that name a next hop anew.
  if (restating_.empty()) {
    next_hops_.release();
    relayed_.clear();
  }
  return said;
}

void Engine::restate_traffic() {
  if (relayed_.empty()) return;
  for (const turn::Effect& effect : effects_.list()) {
    const auto* installed = std::get_if<turn::InstallAllocation>(&effect);
    if (installed == nullptr) continue;
    const auto& [worker, index, generation] = installed->allocation;
    if (index >= relayed_[worker].size()) continue;
    const shm::Traffic& traffic = relayed_[worker][index];
    if (traffic.allocation.generation == generation)
      queues_.push(worker, shm::Command::kCountTraffic, 0, traffic);
  }
}

// Of who was not restated yet, the last dataplane knew nothing: what is noted stays.
void Engine::note_traffic() {
  relayed_.resize(attachment_.workers());
  const auto value = [](const shm::SharedCounter& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  for (const WorkerIndex worker : queues_.workers()) {
    const Ledger& ledger = writer_.ledger(worker);
    relayed_[worker].resize(ledger.allocations());
    for (std::uint32_t i = 0; i < ledger.allocations(); ++i) {
      if (server_.is_unsaid({worker, i, 0})) continue;
      const shm::AllocationCounters& counters = attachment_.region().allocation(worker, i);
      relayed_[worker][i] = {{i, ledger.allocation(i).fact.allocation.generation},
                             value(counters.to_peer_packets),
                             value(counters.to_peer_bytes),
                             value(counters.to_client_packets),
                             value(counters.to_client_bytes)};
    }
  }
}

void Engine::disconnect() {
  note_traffic();
  queues_.disconnect();
  begin_restating();  // what is not said now will be
}

void Engine::connect() {
  queues_.connect(attachment_.wake_main(), attachment_.wake_workers());
  reader_.connect();
  writer_.move_to(attachment_.region());
  ports_ = attachment_.ports();
  next_hops_.set_ports(ports_);
  next_hops_.say_again();
  announce();
  begin_restating();
  if (port_handler_) port_handler_();
}

}  // namespace turnpike::control
