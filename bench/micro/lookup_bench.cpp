// SPDX-License-Identifier: BSD-3-Clause
// Looking flows up in bursts, keys in random order: our tables up to the flow's cache line, against rte_hash
// alone (which says where the flow is, and leaves it there) and std::unordered_map.
//
// A session has four entries: client, relayed address, and its channel in both directions. The latter two are
// looked up.
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_prefetch.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bench/micro/limits.hpp"
#include "bench/micro/measure.hpp"
#include "dataplane/flow_keys.hpp"
#include "dataplane/tables.hpp"

namespace turnpike::bench {
namespace {

using dataplane::Applied;
using dataplane::FlowKey;
using dataplane::KeyTag;
using dataplane::kNoSlot;
using dataplane::RelayRef;
using dataplane::Tables;
using wire::Endpoint;
using wire::IpAddress;

constexpr std::uint32_t kEntriesEach = 4;
constexpr std::uint16_t kListen = 3478;
constexpr std::uint16_t kChannel = 0x4000;
constexpr std::uint32_t kPortsEach = 60'000;  // relay ports of an address, from kFirstPort
constexpr std::uint16_t kFirstPort = 2000;
constexpr std::uint16_t kElsewhere = 30'000;  // added to a remote port: nobody's
constexpr std::uint64_t kDeadlineNs = 1'000'000'000'000;
constexpr std::size_t kMostProbes = 1 << 20;

struct Session {
  explicit Session(std::uint32_t number)
      : client{IpAddress::v4(0x0B000000 + number / 16), 0, static_cast<std::uint16_t>(10'000 + number % 16)},
        peer{IpAddress::v4(0x0C000000 + number), 0, 5000},
        relay{static_cast<std::uint16_t>(1 + number / kPortsEach),
              static_cast<std::uint16_t>(kFirstPort + number % kPortsEach)} {}

  FlowKey to_peer() const {
    FlowKey key = make_key(client, {0, kListen}, KeyTag::kClient);
    key.tag = kChannel;
    return key;
  }
  FlowKey to_client() const { return make_key(peer, relay, KeyTag::kPeer); }
  std::array<FlowKey, kEntriesEach> keys() const {
    return {to_peer(), to_client(), make_key(client, {0, kListen}, KeyTag::kClient),
            make_key(Endpoint{}, relay, KeyTag::kRelay)};
  }

  Endpoint client;
  Endpoint peer;
  RelayRef relay;
};

IpAddress own_address(std::uint16_t index) { return IpAddress::v4(0x0A000001 + index); }

std::uint32_t sessions_of(std::int64_t flows) { return static_cast<std::uint32_t>(flows) / kEntriesEach; }

// ---- the three tables, each with the entries of so many sessions

void install(Tables& tables, const dataplane::LocalAddresses& locals, std::uint32_t number) {
  const Session session(number);
  shm::AllocationFact allocation;
  allocation.allocation = {number, 1};
  allocation.client = session.client;
  allocation.server = {own_address(0), 0, kListen};
  allocation.relay_v4 = {own_address(session.relay.local), 0, session.relay.port};
  allocation.client_next_hop = 1;
  allocation.deadline_ns = kDeadlineNs;
  shm::ChannelFact channel;
  channel.channel = channel.allocation = {number, 1};
  channel.relay = allocation.relay_v4;
  channel.peer = session.peer;
  channel.number = kChannel;
  channel.next_hop = 2;
  channel.deadline_ns = channel.permission_deadline_ns = kDeadlineNs;
  if (tables.install(allocation, locals) != Applied::kDone ||
      tables.install(channel, locals) != Applied::kDone) {
    give_up("lookup: a session was refused");
  }
}

std::unique_ptr<Tables> make_tables(std::int64_t flows) {
  const std::uint32_t sessions = sessions_of(flows);
  auto locals = std::make_unique<dataplane::LocalAddresses>();
  const auto addresses = static_cast<std::uint16_t>(2 + sessions / kPortsEach);
  for (std::uint16_t i = 0; i < addresses; ++i) {
    shm::LocalAddress fact;
    fact.index = i;
    fact.address = own_address(i);
    if (i == 0) fact.listener_port = kListen;
    if (i != 0) fact.relay_min = kFirstPort;
    if (i != 0) fact.relay_max = 65535;
    locals->set(fact);
  }
  shm::Capacity capacity;
  capacity.allocations = capacity.channels = sessions;
  capacity.permissions = 1;
  auto tables = Tables::create(capacity, SOCKET_ID_ANY);
  if (!tables) give_up("lookup: " + tables.error());
  for (std::uint32_t number = 0; number < sessions; ++number) install(**tables, *locals, number);
  return std::move(*tables);
}

struct PlainHash {
  rte_hash* hash;
};

std::unique_ptr<PlainHash> make_plain_hash(std::int64_t flows) {
  const std::string name = "plain" + std::to_string(flows);
  rte_hash_parameters parameters{};
  parameters.name = name.c_str();
  parameters.entries = static_cast<std::uint32_t>(flows);
  parameters.key_len = sizeof(FlowKey);
  parameters.hash_func = rte_hash_crc;
  parameters.socket_id = SOCKET_ID_ANY;
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
  rte_hash* hash = rte_hash_create(&parameters);
  if (hash == nullptr) give_up("lookup: no memory for an rte_hash");
  for (std::uint32_t number = 0; number < sessions_of(flows); ++number) {
    for (const FlowKey& key : Session(number).keys()) {
      if (rte_hash_add_key_data(hash, &key, reinterpret_cast<void*>(std::uintptr_t{number})) != 0)
        give_up("lookup: an rte_hash is full");
    }
  }
  return std::make_unique<PlainHash>(PlainHash{hash});
}

struct KeyHash {
  std::size_t operator()(const FlowKey& key) const noexcept { return rte_hash_crc(&key, sizeof key, 0); }
};
using StandardMap = std::unordered_map<FlowKey, std::uint32_t, KeyHash>;

std::unique_ptr<StandardMap> make_map(std::int64_t flows) {
  auto map = std::make_unique<StandardMap>();
  map->reserve(static_cast<std::size_t>(flows));
  for (std::uint32_t number = 0; number < sessions_of(flows); ++number) {
    for (const FlowKey& key : Session(number).keys()) map->emplace(key, number);
  }
  return map;
}

// One of each size, kept until exit: DPDK's memory is gone before statics are destroyed, and a bench runs
// several times.
template <typename Table, std::unique_ptr<Table> (*kMake)(std::int64_t)>
const Table& cached(std::int64_t flows) {
  static auto* const tables = new std::map<std::int64_t, std::unique_ptr<Table>>;
  auto& table = (*tables)[flows];
  if (!table) table = kMake(flows);
  return *table;
}

// ---- what is looked up

// Bursts of keys of one direction each, drawn at random and then read in order, as keys made of received
// packets are in the cache.
class Probes {
public:
  Probes(std::int64_t flows, bool hit) {
    auto random = random_order();
    const std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(flows), kMostProbes);
    for (std::size_t i = 0; i < count; ++i) {
      const Session session(static_cast<std::uint32_t>(random() % sessions_of(flows)));
      keys_.push_back(is_to_peer(i / kBatch) ? session.to_peer() : session.to_client());
      if (!hit) keys_.back().remote_port += kElsewhere;
    }
  }

  // Whether the next burst is of the direction client to peer; and its keys.
  bool next(std::array<const FlowKey*, kBatch>& burst) {
    const bool to_peer = is_to_peer(at_ / kBatch);
    for (const FlowKey*& key : burst) key = &keys_[at_++];
    if (at_ == keys_.size()) at_ = 0;
    return to_peer;
  }

private:
  static bool is_to_peer(std::size_t burst) { return burst % 2 == 0; }

  std::vector<FlowKey> keys_;  // a multiple of two bursts
  std::size_t at_ = 0;
};

// `look_up(burst, to_peer)` gives the number of keys that were found.
template <typename LookUp>
void run_look_ups(benchmark::State& state, bool hit, LookUp&& look_up) {
  Probes probes(state.range(0), hit);
  std::array<const FlowKey*, kBatch> burst;
  std::size_t found = 0;
  for (auto _ : state) {
    const bool to_peer = probes.next(burst);
    found += look_up(burst, to_peer);
  }
  if (found != (hit ? kBatch * state.iterations() : 0)) return state.SkipWithError("a look-up went wrong");
  count_items(state, kBatch);
}

void lookup_tables(benchmark::State& state, bool hit) {
  if (!flows_fit(state, state.range(0))) return;
  const Tables& tables = cached<Tables, make_tables>(state.range(0));
  run_look_ups(state, hit, [&](const auto& burst, bool to_peer) {
    std::array<std::uint32_t, kBatch> slots;
    tables.find_bulk(burst, slots.data());
    const auto flow = [&](std::uint32_t slot) -> const dataplane::Flow& {
      return to_peer ? tables.channel_to_peer(slot) : tables.channel_to_client(slot);
    };
    for (const std::uint32_t slot : slots) {
      if (slot != kNoSlot) rte_prefetch0(&flow(slot));
    }
    std::size_t live = 0;
    for (const std::uint32_t slot : slots) {
      if (slot != kNoSlot && flow(slot).deadline != 0) ++live;
    }
    return live;
  });
}

void lookup_rte_hash(benchmark::State& state, bool hit) {
  if (!flows_fit(state, state.range(0))) return;
  const rte_hash* hash = cached<PlainHash, make_plain_hash>(state.range(0)).hash;
  run_look_ups(state, hit, [&](const auto& burst, bool) {
    std::array<const void*, kBatch> keys;
    std::array<void*, kBatch> data;
    std::copy(burst.begin(), burst.end(), keys.begin());
    std::uint64_t hits = 0;
    rte_hash_lookup_bulk_data(hash, keys.data(), kBatch, &hits, data.data());
    benchmark::DoNotOptimize(data);
    return static_cast<std::size_t>(__builtin_popcountll(hits));
  });
}

void lookup_map(benchmark::State& state, bool hit) {
  if (!flows_fit(state, state.range(0))) return;
  const StandardMap& map = cached<StandardMap, make_map>(state.range(0));
  run_look_ups(state, hit, [&](const auto& burst, bool) {
    std::size_t found = 0;
    for (const FlowKey* key : burst) {
      const auto at = map.find(*key);
      if (at == map.end()) continue;
      benchmark::DoNotOptimize(at->second);
      ++found;
    }
    return found;
  });
}

void flow_counts(benchmark::internal::Benchmark* bench) {
  bench->ArgName("flows")->Arg(1 << 10)->Arg(100 << 10)->Arg(1 << 20)->Arg(kMostFlows);
}

BENCHMARK_CAPTURE(lookup_tables, hit, true)->Name("lookup-hit/turnpike")->Apply(flow_counts);
BENCHMARK_CAPTURE(lookup_rte_hash, hit, true)->Name("lookup-hit/rte_hash")->Apply(flow_counts);
BENCHMARK_CAPTURE(lookup_map, hit, true)->Name("lookup-hit/unordered_map")->Apply(flow_counts);
BENCHMARK_CAPTURE(lookup_tables, miss, false)->Name("lookup-miss/turnpike")->Apply(flow_counts);
BENCHMARK_CAPTURE(lookup_rte_hash, miss, false)->Name("lookup-miss/rte_hash")->Apply(flow_counts);
BENCHMARK_CAPTURE(lookup_map, miss, false)->Name("lookup-miss/unordered_map")->Apply(flow_counts);

}  // namespace
}  // namespace turnpike::bench
