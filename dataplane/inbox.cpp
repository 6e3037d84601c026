// SPDX-License-Identifier: BSD-3-Clause
// Applies commands to the worker's tables and reports what it had to refuse.
#include "dataplane/inbox.hpp"

#include <cerrno>
#include <optional>

#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Command;
using shm::Counter;

// The body as T; nothing when it has another size.
template <shm::Body T>
std::optional<T> body_as(const shm::Message& message) noexcept {
  if (message.header.body_size != sizeof(T)) return std::nullopt;
  T body;
  std::memcpy(&body, message.storage.data(), sizeof body);
  return body;
}

bool sane_family(const wire::IpAddress& address, bool none_allowed) noexcept {
  return address.is_v4() || address.is_v6() || (none_allowed && address.family == wire::Family::kNone);
}

void refuse(Lcore& lcore, std::uint64_t seq, shm::Refusal why) noexcept {
  lcore.refused_seq = seq;
  lcore.count(Counter::k_facts_refused);
  if (why == shm::Refusal::kInvalid) lcore.count(Counter::k_commands_invalid);
  const shm::FactRefused body{why, 0};
  if (!lcore.events.push(static_cast<std::uint16_t>(shm::Event::kFactRefused), seq,
                         Bytes(reinterpret_cast<const std::uint8_t*>(&body), sizeof body))) {
    lcore.count_drops(shm::DropReason::k_event_ring_full, 1);
  }
  lcore.events_pushed = true;
}

shm::Refusal refusal(Applied why) noexcept {
  return why == Applied::kTableFull ? shm::Refusal::kTableFull : shm::Refusal::kInvalid;
}

void clear_counters(Lcore& lcore, std::uint32_t allocation) noexcept {
  shm::AllocationCounters& counters = lcore.allocation_counters[allocation];
  for (auto* counter : {&counters.to_peer_packets, &counters.to_peer_bytes, &counters.to_client_packets,
                        &counters.to_client_bytes}) {
    counter->store(0, std::memory_order_relaxed);
  }
  shm::OverLimitCounters& over_limit = lcore.region->over_limit(lcore.index, allocation);
  over_limit.to_peer_packets.store(0, std::memory_order_relaxed);
  over_limit.to_client_packets.store(0, std::memory_order_relaxed);
}

bool set_local_address(Lcore& lcore, const shm::LocalAddress& fact) noexcept {
  if (!sane_family(fact.address, true) || !sane_family(fact.advertised, true)) return false;
  return lcore.locals.set(fact);
}

// Control holds an answer to one of its own clients back until the fact is applied, and may sleep meanwhile.
void tell_applied(Lcore& lcore, std::uint32_t allocation) noexcept {
  if (lcore.tables->allocation(allocation).next_hop == kToControl) lcore.events_pushed = true;
}

template <typename Fact>
void install(Lcore& lcore, const shm::Message& message) noexcept {
  const auto fact = body_as<Fact>(message);
  const Applied result = fact ? lcore.tables->install(*fact, lcore.locals) : Applied::kInvalid;
  if (result != Applied::kDone) return refuse(lcore, message.header.seq, refusal(result));
  lcore.count(Counter::k_facts_applied);
  tell_applied(lcore, fact->allocation.index);
}

using RelaySockets = std::array<wire::Endpoint, 2>;  // family kNone: none

// Only where relayed addresses are kernel sockets.
RelaySockets relay_sockets(const Lcore& lcore, std::uint32_t allocation) noexcept {
  RelaySockets sockets{};
  if (!lcore.kernel_sockets || lcore.tables->generation(allocation) == 0) return sockets;
  const auto& relays = lcore.tables->info(allocation).relays;
  for (std::size_t i = 0; i < relays.size(); ++i) {
    if (relays[i].local == kNoLocal) continue;
    sockets[i] = {lcore.locals.facts()[relays[i].local].address, 0, relays[i].port};
  }
  return sockets;
}

// Those of `sockets` that are not in `other`.
RelaySockets without(RelaySockets sockets, const RelaySockets& other) noexcept {
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (sockets[i] == other[i]) sockets[i] = {};
  }
  return sockets;
}

void close_relays(Lcore& lcore, const RelaySockets& sockets) noexcept {
  for (const wire::Endpoint& socket : sockets) {
    if (socket.address.family != wire::Family::kNone) lcore.ports.front()->close_relay(lcore.index, socket);
  }
}

// On an error none is left behind.
int open_relays(Lcore& lcore, const RelaySockets& sockets) noexcept {
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (sockets[i].address.family == wire::Family::kNone) continue;
    const int error = lcore.ports.front()->open_relay(lcore.index, sockets[i]);
    if (error == 0) continue;
    if (i == 1) close_relays(lcore, {sockets[0], {}});
    return error;
  }
  return 0;
}

shm::Refusal socket_refusal(int error) noexcept {
  const bool taken = error == EADDRINUSE || error == EACCES || error == EADDRNOTAVAIL;
  return taken ? shm::Refusal::kPortTaken : shm::Refusal::kNoDescriptor;
}

void install_allocation(Lcore& lcore, const shm::Message& message) noexcept {
  const auto fact = body_as<shm::AllocationFact>(message);
  if (!fact) return refuse(lcore, message.header.seq, shm::Refusal::kInvalid);
  const std::uint32_t index = fact->allocation.index;
  const bool fresh = lcore.tables->generation(index) != fact->allocation.generation;
  const RelaySockets before = relay_sockets(lcore, index);
  // First the sockets: their refusal leaves the tables as they were.
  const RelaySockets wanted =
      lcore.kernel_sockets ? RelaySockets{fact->relay_v4, fact->relay_v6} : RelaySockets{};
  const RelaySockets opened = without(wanted, before);
  if (const int error = open_relays(lcore, opened); error != 0)
    return refuse(lcore, message.header.seq, socket_refusal(error));
  const Applied result = lcore.tables->install(*fact, lcore.locals);
  close_relays(lcore, without(before, relay_sockets(lcore, index)));
  if (result != Applied::kDone) {
    close_relays(lcore, opened);
    return refuse(lcore, message.header.seq, refusal(result));
  }
  lcore.count(Counter::k_facts_applied);
  tell_applied(lcore, index);
  if (!fresh) return;
  clear_counters(lcore, index);
  for (const RelayRef& relay : lcore.tables->info(index).relays) {
    if (relay.local != kNoLocal) lcore.port_owners->claim(relay.local, relay.port, lcore.index);
  }
}

void close_all_relays(Lcore& lcore) noexcept {
  if (!lcore.kernel_sockets) return;
  for (std::uint32_t i = 0; i < lcore.region->capacity().allocations; ++i)
    close_relays(lcore, relay_sockets(lcore, i));
}

bool remove(Lcore& lcore, Command kind, const shm::Message& message) noexcept {
  const auto fact = body_as<shm::RemoveFact>(message);
  if (!fact) return false;
  if (kind == Command::kRemoveAllocation) {
    const RelaySockets before = relay_sockets(lcore, fact->removed.index);
    lcore.tables->remove_allocation(fact->removed);
    close_relays(lcore, without(before, relay_sockets(lcore, fact->removed.index)));
  }
  if (kind == Command::kRemovePermission) lcore.tables->remove_permission(fact->removed);
  if (kind == Command::kRemoveChannel) lcore.tables->remove_channel(fact->removed);
  lcore.count(Counter::k_facts_applied);
  return true;
}

bool count_traffic(Lcore& lcore, const shm::Message& message) noexcept {
  const auto fact = body_as<shm::Traffic>(message);
  if (!fact) return false;
  const std::uint32_t index = fact->allocation.index;
  const std::uint32_t generation = lcore.tables->generation(index);
  if (generation == 0 || generation != fact->allocation.generation)
    return true;  // gone meanwhile, or refused
  shm::AllocationCounters& counters = lcore.allocation_counters[index];
  shm::add_relaxed(counters.to_peer_packets, fact->to_peer_packets);
  shm::add_relaxed(counters.to_peer_bytes, fact->to_peer_bytes);
  shm::add_relaxed(counters.to_client_packets, fact->to_client_packets);
  shm::add_relaxed(counters.to_client_bytes, fact->to_client_bytes);
  return true;
}

bool send_datagram(Lcore& lcore, const shm::Message& message) noexcept {
  if (message.header.body_size < sizeof(shm::SendDatagram)) return false;
  shm::SendDatagram request;
  std::memcpy(&request, message.storage.data(), sizeof request);
  inject(lcore, request, message.body().subspan(sizeof request));
  return true;
}

bool send_media(Lcore& lcore, const shm::Message& message) noexcept {
  if (message.header.body_size < sizeof(shm::SendToPeer)) return false;
  shm::SendToPeer request;
  std::memcpy(&request, message.storage.data(), sizeof request);
  send_to_peer(lcore, request, message.body().subspan(sizeof request));
  return true;
}

bool apply(Lcore& lcore, const shm::Message& message) noexcept {
  const auto kind = static_cast<Command>(message.header.kind);
  switch (kind) {
    case Command::kReset:
      close_all_relays(lcore);
      lcore.tables->clear();
      lcore.locals.clear();
      lcore.next_hops.clear();
      lcore.challenge = {};
      lcore.applied_seq = lcore.refused_seq = 0;
      return true;
    case Command::kSetLocalAddress: {
      const auto fact = body_as<shm::LocalAddress>(message);
      return fact && set_local_address(lcore, *fact);
    }
    case Command::kSetNextHop: {
      const auto fact = body_as<shm::NextHop>(message);
      return fact && lcore.next_hops.set(*fact, lcore.ports.size());
    }
    case Command::kInstallAllocation:
      install_allocation(lcore, message);
      return true;
    case Command::kInstallPermission:
      install<shm::PermissionFact>(lcore, message);
      return true;
    case Command::kInstallChannel:
      install<shm::ChannelFact>(lcore, message);
      return true;
    case Command::kRemoveAllocation:
    case Command::kRemovePermission:
    case Command::kRemoveChannel:
      return remove(lcore, kind, message);
    case Command::kSendDatagram:
      return send_datagram(lcore, message);
    case Command::kSendToPeer:
      return send_media(lcore, message);
    case Command::kSetChallenge: {
      const auto fact = body_as<shm::Challenge>(message);
      if (!fact || fact->realm_size > fact->realm.size()) return false;
      lcore.challenge = *fact;
      return true;
    }
    case Command::kCountTraffic:
      return count_traffic(lcore, message);
    case Command::kMark:
      return true;
    case Command::kInvalid:
    case Command::kCount:
      return false;
  }
  return false;  // a number outside the enum
}

}  // namespace

std::uint32_t drain_inbox(Lcore& lcore) noexcept {
  std::uint32_t taken = 0;
  if (const std::uint64_t waiting = lcore.commands.used(); waiting != 0) {
    lcore.raise(Counter::k_perf_commands_high, waiting);
  }
  for (; taken < kCommandsPerPass; ++taken) {
    const shm::PopResult result = lcore.commands.pop(*lcore.message);
    if (result == shm::PopResult::kEmpty) break;
    if (result == shm::PopResult::kCorrupt || !apply(lcore, *lcore.message)) {
      lcore.count(Counter::k_commands_invalid);
      if (result == shm::PopResult::kCorrupt) continue;
    }
    if (lcore.message->header.seq != 0) lcore.applied_seq = lcore.message->header.seq;
  }
  // W1: after the tables, so that control may reuse what these facts removed.
  if (taken != 0) lcore.published->applied_seq.store(lcore.applied_seq, std::memory_order_release);
  return taken;
}

}  // namespace turnpike::dataplane
