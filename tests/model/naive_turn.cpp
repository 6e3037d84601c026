// SPDX-License-Identifier: BSD-3-Clause
// The rules, as plainly as they can be written.
#include "tests/model/naive_turn.hpp"

#include <algorithm>

#include "tests/model/naive_records.hpp"

namespace turnpike::model {

namespace {

Prediction error(int code) {
  Prediction prediction;
  prediction.error = code;
  return prediction;
}

std::uint32_t granted(std::optional<std::uint32_t> wish) {
  const std::uint32_t least = 600;
  const std::uint32_t most = 3600;
  return wish ? std::max(least, std::min(*wish, most)) : least;
}

// Slots that the facts name, applied or not.
template <typename Table>
std::size_t slots_used(const Table& emitted, const Table& applied, WorkerIndex worker) {
  std::set<std::uint32_t> used;
  for (const auto* table : {&emitted, &applied}) {
    for (const auto& [at, fact] : *table) {
      if (at.first == worker) used.insert(at.second);
    }
  }
  return used.size();
}

}  // namespace

IpAddress relay_address(int family) {
  return *wire::parse_address(family == 2 ? "2a00:5::10" : "198.51.100.10");
}

bool is_allowed_peer(const Endpoint& peer, const Limits& limits, bool with_port) {
  const std::string text = wire::to_string(peer.address);
  if (text == "10.0.0.1" || text == "fe80::1") return false;
  const bool own = peer.address == relay_address(1) || peer.address == relay_address(2);
  return !own || !with_port || (peer.port >= limits.min_port && peer.port <= limits.max_port);
}

WorkerIndex naive_owner(int port, const Limits& limits) {
  const int first = limits.min_port / 2;
  const int pairs = limits.max_port / 2 - first + 1;
  for (int worker = 0;; ++worker) {
    if (port / 2 - first < pairs * (worker + 1) / limits.workers) return static_cast<WorkerIndex>(worker);
  }
}

const Record* NaiveTurn::find(const FiveTuple& client, Time now) const {
  for (const Record& record : records) {
    if (record.client == client && is_live(record, now)) return &record;
  }
  return nullptr;
}

Prediction NaiveTurn::serve(const Intent& intent, Time now, const FactTables& emitted,
                            const FactTables& applied,
                            const std::map<WorkerIndex, std::uint64_t>& applied_seq) {
  const Tables tables{emitted, applied};
  const auto seq_of = [&](WorkerIndex worker) {
    const auto found = applied_seq.find(worker);
    return found == applied_seq.end() ? 0 : found->second;
  };
  if (intent.method == stun::Method::kRefresh) {
    for (const Deletion& deletion : deletions) {
      if (deletion.client != intent.client || deletion.transaction != intent.transaction ||
          deletion.until <= now) {
        continue;
      }
      Prediction again;
      again.answered = deletion.fact <= seq_of(deletion.worker);
      again.lifetime = 0;
      return again;
    }
  }
  auto* record = const_cast<Record*>(find(intent.client, now));
  if (record == nullptr) {
    remove(intent.client);  // a ghost
    return intent.method == stun::Method::kAllocate ? serve_allocate(intent, now, tables) : error(437);
  }
  if (record->user != intent.user) return error(441);
  if (record->latest == intent.transaction && record->latest_fact > seq_of(record->worker)) {
    Prediction silent;
    silent.answered = false;
    return silent;
  }
  switch (intent.method) {
    case stun::Method::kAllocate: {
      if (record->created_by != intent.transaction) return error(437);
      Prediction again;
      Time deadline{};
      for (const auto& [family, leg] : record->legs) {
        if (!live(leg.deadline, now)) continue;
        again.relayed.push_back(leg.relay);
        deadline = std::max(deadline, leg.deadline);
      }
      again.lifetime = static_cast<std::uint32_t>((deadline - now + seconds(1) - Time(1)) / seconds(1));
      return again;
    }
    case stun::Method::kRefresh:
      return serve_refresh(intent, *record, now);
    case stun::Method::kCreatePermission:
      return serve_permission(intent, *record, now, tables);
    default:
      return serve_bind(intent, *record, now, tables);
  }
}

bool NaiveTurn::is_free(const Endpoint& relay, Time now, const Tables& tables) const {
  for (const FactTables* facts : {&tables.first, &tables.second}) {
    if (facts->find_relay(RelayEndpoint(relay)) != nullptr) return false;
  }
  const auto rests = resting.find(relay);
  if (rests != resting.end() && live(rests->second, now)) return false;
  return std::none_of(reservations.begin(), reservations.end(), [&](const Reservation& reservation) {
    return reservation.relay == relay && live(reservation.until, now);
  });
}

std::vector<int> NaiveTurn::free_ports(int family, WorkerIndex worker, int even, Time now,
                                       const Tables& tables) const {
  std::vector<int> ports;
  for (int port = limits.min_port; port <= limits.max_port; ++port) {
    if (naive_owner(port, limits) != worker || (even != 0 && port % 2 != 0)) continue;
    const auto relay = [&](int p) {
      return Endpoint{relay_address(family), 0, static_cast<std::uint16_t>(p)};
    };
    if (!is_free(relay(port), now, tables)) continue;
    if (even == 2 && (port == limits.max_port || !is_free(relay(port + 1), now, tables))) continue;
    ports.push_back(port);
  }
  return ports;
}

Prediction NaiveTurn::serve_allocate(const Intent& intent, Time now, const Tables& tables) {
  Prediction result;
  result.creates = true;
  result.lifetime = granted(intent.lifetime);
  if (intent.token) {
    if (intent.even != 0 || intent.family != 0 || intent.dual) return error(400);
    const auto held =
        std::find_if(reservations.begin(), reservations.end(), [&](const Reservation& reservation) {
          return reservation.token == *intent.token && live(reservation.until, now);
        });
    if (held == reservations.end()) return error(508);
    result.relayed = {held->relay};
  } else {
    if (intent.family != 0 && intent.dual) return error(400);
    if (intent.even == 2 && intent.dual) return error(400);
    if (intent.family < 0 || intent.family > 2) return error(440);
  }
  const auto held_by_user = std::count_if(records.begin(), records.end(), [&](const Record& record) {
    return record.user == intent.user && is_live(record, now);
  });
  if (static_cast<std::size_t>(held_by_user) >= limits.quota) return error(486);
  if (limits.max_bps != 0 && left_for(intent.client) == 0) return error(486);
  if (slots_used(tables.first.allocations, tables.second.allocations, intent.worker) >= limits.allocations) {
    return error(508);
  }
  if (intent.token) return result;
  const int first = intent.family == 2 ? 2 : 1;
  const bool has_first = !free_ports(first, intent.worker, intent.even, now, tables).empty();
  const bool has_second = intent.dual && !free_ports(2, intent.worker, intent.even, now, tables).empty();
  if (!has_first && !has_second) return error(508);
  if (intent.dual) result.failed_family = !has_first ? 1 : (!has_second ? 2 : 0);
  return result;
}

void NaiveTurn::adopt(const Intent& intent, const Prediction& prediction,
                      const std::vector<Endpoint>& relayed,
                      const std::optional<stun::ReservationToken>& token, Time now) {
  Record record;
  record.client = intent.client;
  record.worker = intent.worker;
  record.user = intent.user;
  record.created_by = intent.transaction;
  record.max_bps = std::min(limits.max_bps, left_for(intent.client));
  for (const Endpoint& relay : relayed) {
    const int family = number(relay.address);
    require(relay.address == relay_address(family), "a relayed address that is not ours");
    require(intent.token || naive_owner(relay.port, limits) == intent.worker, "a port of another worker");
    require(intent.even == 0 || relay.port % 2 == 0, "an odd port for EVEN-PORT");
    record.legs[family] = {relay, now + seconds(*prediction.lifetime)};
  }
  const std::size_t wanted = intent.dual && prediction.failed_family == 0 ? 2 : 1;
  require(record.legs.size() == wanted, "the wrong number of relayed addresses");
  if (intent.family == 2) require(record.legs.count(2) == 1, "IPv6 was asked for");
  if (intent.family != 2 && !intent.dual && !intent.token)
    require(record.legs.count(1) == 1, "IPv4 is the default");
  require(prediction.failed_family == 0 || record.legs.count(prediction.failed_family) == 0,
          "a family too many");
  if (intent.token) {
    require(relayed == prediction.relayed, "not the reserved port");
    std::erase_if(reservations, [&](const Reservation& each) { return each.token == *intent.token; });
  }
  require(token.has_value() == (intent.even == 2), "a reservation exactly for R = 1");
  if (token) {
    Endpoint next = relayed.front();
    ++next.port;
    reservations.push_back({*token, next, now + seconds(30)});
  }
  records.push_back(record);
}

void NaiveTurn::note_facts(const Intent& intent, std::uint64_t last_fact) {
  for (Record& record : records) {
    if (record.client != intent.client) continue;
    record.latest = intent.transaction;
    record.latest_fact = last_fact;
  }
  for (Deletion& deletion : deletions) {
    if (deletion.client == intent.client && deletion.transaction == intent.transaction)
      deletion.fact = last_fact;
  }
}

Prediction NaiveTurn::serve_refresh(const Intent& intent, Record& record, Time now) {
  if (intent.family != 0 && live_leg(record, intent.family, now) == nullptr) return error(443);
  Prediction result;
  if (intent.lifetime == 0u) {
    result.lifetime = 0;
    deletions.push_back({intent.client, intent.transaction, record.worker, 0, now + seconds(40)});
    const int other = intent.family == 1 ? 2 : 1;
    if (intent.family != 0 && live_leg(record, other, now) != nullptr) {
      result.shrinks = true;
      record.legs.erase(intent.family);
      std::erase_if(record.permissions,
                    [&](const auto& entry) { return number(entry.first) == intent.family; });
      std::erase_if(record.channels,
                    [&](const auto& entry) { return number(entry.second.peer.address) == intent.family; });
    } else {
      remove(intent.client);
    }
    return result;
  }
  result.lifetime = granted(intent.lifetime);
  // Who lives is never cut for want of capacity, nor left without a limit that there is to be.
  const std::uint64_t most =
      record.max_bps == 0 ? limits.max_bps : std::max(record.max_bps, left_for(intent.client));
  record.max_bps = std::min(limits.max_bps, most);
  for (auto& [family, leg] : record.legs) {
    const bool meant = intent.family == 0 || intent.family == family;
    if (meant && live(leg.deadline, now)) leg.deadline = now + seconds(*result.lifetime);
  }
  return result;
}

// Of the capacity, besides what the others have.
std::uint64_t NaiveTurn::left_for(const FiveTuple& client) const {
  if (limits.bps_capacity == 0) return ~std::uint64_t{0};
  std::uint64_t left = limits.bps_capacity;
  for (const Record& record : records) {
    if (record.client != client) left -= std::min(left, record.max_bps);
  }
  return left;
}

std::uint64_t NaiveTurn::max_bps_of(const FiveTuple& client) const {
  for (const Record& record : records) {
    if (record.client == client) return record.max_bps;
  }
  return 0;
}

void NaiveTurn::set_max_bps(const FiveTuple& client, std::uint64_t max_bps) {
  for (Record& record : records) {
    if (record.client == client) record.max_bps = max_bps;
  }
}

std::size_t NaiveTurn::live_permissions(const Record& record, Time now) const {
  return static_cast<std::size_t>(std::count_if(record.permissions.begin(), record.permissions.end(),
                                                [&](const auto& entry) { return live(entry.second, now); }));
}

Prediction NaiveTurn::serve_permission(const Intent& intent, Record& record, Time now, const Tables& tables) {
  if (intent.peers.empty()) return error(400);
  std::set<IpAddress> fresh;
  for (const Endpoint& peer : intent.peers) {
    if (live_leg(record, number(peer.address), now) == nullptr) return error(443);
  }
  for (const Endpoint& peer : intent.peers) {
    if (!is_allowed_peer(peer, limits, false)) return error(403);
    const auto found = record.permissions.find(peer.address);
    if (found == record.permissions.end() || !live(found->second, now)) fresh.insert(peer.address);
  }
  const std::size_t used = slots_used(tables.first.permissions, tables.second.permissions, record.worker);
  if (live_permissions(record, now) + fresh.size() > limits.permissions_each) return error(508);
  if (used + fresh.size() > limits.permissions) return error(508);
  for (const Endpoint& peer : intent.peers) record.permissions[peer.address] = now + seconds(300);
  return {};
}

Prediction NaiveTurn::serve_bind(const Intent& intent, Record& record, Time now, const Tables& tables) {
  if (intent.peers.empty()) return error(400);
  const Endpoint peer = intent.peers.front();
  if (intent.channel < 0x4000 || intent.channel > 0x4FFF || peer.port == 0) return error(400);
  if (live_leg(record, number(peer.address), now) == nullptr) return error(443);
  bool rebind = false;
  std::size_t bound = 0;
  for (const auto& [channel, binding] : record.channels) {
    if (!live(binding.deadline, now)) continue;
    ++bound;
    if (channel == intent.channel && binding.peer == peer) {
      rebind = true;
    } else if (channel == intent.channel || binding.peer == peer) {
      return error(400);
    }
  }
  if (!is_allowed_peer(peer, limits, true)) return error(403);
  const auto permission = record.permissions.find(peer.address);
  if (permission == record.permissions.end() || !live(permission->second, now)) {
    const std::size_t used = slots_used(tables.first.permissions, tables.second.permissions, record.worker);
    if (live_permissions(record, now) + 1 > limits.permissions_each || used + 1 > limits.permissions)
      return error(508);
  }
  const std::size_t used = slots_used(tables.first.channels, tables.second.channels, record.worker);
  if (!rebind && (bound + 1 > limits.channels_each || used + 1 > limits.channels)) return error(508);
  record.permissions[peer.address] = now + seconds(300);
  // An address whose binding to another number ran out is free.
  std::erase_if(record.channels, [&](const auto& entry) { return !live(entry.second.deadline, now); });
  record.channels[intent.channel] = {peer, now + seconds(600)};
  return {};
}

bool NaiveTurn::may_send(const FiveTuple& client, const Endpoint& peer, Time now) const {
  const Record* record = find(client, now);
  if (record == nullptr || live_leg(*record, number(peer.address), now) == nullptr) return false;
  const auto permission = record->permissions.find(peer.address);
  if (permission == record->permissions.end() || !live(permission->second, now)) return false;
  return peer.port != 0 && is_allowed_peer(peer, limits, true);
}

std::optional<Endpoint> NaiveTurn::channel_target(const FiveTuple& client, std::uint16_t channel,
                                                  Time now) const {
  const Record* record = find(client, now);
  if (record == nullptr) return std::nullopt;
  const auto bound = record->channels.find(channel);
  if (bound == record->channels.end() || !live(bound->second.deadline, now)) return std::nullopt;
  if (live_leg(*record, number(bound->second.peer.address), now) == nullptr) return std::nullopt;
  return bound->second.peer;
}

std::optional<std::uint16_t> NaiveTurn::may_receive(const Endpoint& relay, const Endpoint& peer,
                                                    Time now) const {
  if (relay.address.family != peer.address.family) return std::nullopt;
  for (const Record& record : records) {
    const Leg* leg = live_leg(record, number(relay.address), now);
    if (leg == nullptr || leg->relay != relay) continue;
    const auto permission = record.permissions.find(peer.address);
    if (permission == record.permissions.end() || !live(permission->second, now)) return std::nullopt;
    for (const auto& [channel, binding] : record.channels) {
      if (binding.peer == peer && live(binding.deadline, now)) return channel;
    }
    return std::uint16_t{0};
  }
  return std::nullopt;
}

bool NaiveTurn::has_ghost_allocations(Time now) const {
  return std::any_of(records.begin(), records.end(),
                     [&](const Record& record) { return !is_live(record, now); });
}

void NaiveTurn::purge(Time now) {
  const auto gone = [&](Time deadline) { return deadline + kGhost <= now; };
  for (Record& record : records) {
    for (auto leg = record.legs.begin(); leg != record.legs.end();) {
      const int family = leg->first;
      if (!live(leg->second.deadline, now)) {  // takes its permissions and channels with it
        std::erase_if(record.permissions, [&](const auto& entry) {
          return number(entry.first) == family && gone(leg->second.deadline);
        });
        std::erase_if(record.channels, [&](const auto& entry) {
          return number(entry.second.peer.address) == family && gone(leg->second.deadline);
        });
      }
      leg = gone(leg->second.deadline) ? record.legs.erase(leg) : std::next(leg);
    }
    std::erase_if(record.permissions, [&](const auto& entry) { return gone(entry.second); });
    std::erase_if(record.channels, [&](const auto& entry) { return gone(entry.second.deadline); });
  }
  std::erase_if(records, [](const Record& record) { return record.legs.empty(); });
  std::erase_if(deletions, [&](const Deletion& deletion) { return deletion.until <= now; });
  std::erase_if(reservations, [&](const Reservation& reservation) { return reservation.until <= now; });
}

}  // namespace turnpike::model
