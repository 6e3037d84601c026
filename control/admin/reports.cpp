// SPDX-License-Identifier: BSD-3-Clause
// status, sessions, drops, io and perf from the shards' servers and links, and the region.
#include "control/admin/reports.hpp"

#include "common/config/options.hpp"
#include "common/shm/abi_line.hpp"
#include "common/turn/transport_name.hpp"
#include "common/wire/mac_address.hpp"

namespace turnpike::control {
namespace {

std::uint64_t load(const std::atomic<std::uint64_t>& value) { return value.load(std::memory_order_relaxed); }

constexpr std::int64_t kLongestDrain = 31536000;  // seconds, as drain-deadline

std::int64_t whole_seconds(Time time) { return std::chrono::duration_cast<seconds>(time).count(); }

const Engine& first_engine(const ReportSources& sources) { return sources.shards.front()->engine(); }

std::string worker_name(const ReportSources& sources, WorkerIndex worker) {
  return worker == sources.attachment.workers() ? "main" : std::to_string(worker);
}

Json counters_of(const shm::WorkerBlock& block) {
  Json counters = Json::object();
  for (std::size_t i = 0; i < shm::kCounters; ++i) {
    counters[std::string(shm::kCounterTable[i].name)] = load(block.counts.counters[i]);
  }
  return counters;
}

const ShardReport::Ring& ring_of(const std::vector<ShardReport>& shards, WorkerIndex worker) {
  for (const ShardReport& shard : shards) {
    for (const ShardReport::Ring& ring : shard.rings) {
      if (ring.index == worker) return ring;
    }
  }
  return shards.front().rings.front();  // not reached: every ring has a shard
}

Json report_worker(const ReportSources& sources, const ShardReport::Ring& ring, Time now) {
  const WorkerIndex worker = ring.index;
  const shm::WorkerBlock& block = sources.attachment.region().worker(worker);
  const auto& capacity = sources.attachment.region().capacity();
  const auto& rates = sources.statistics.rates(worker);
  const Time heartbeat(static_cast<std::int64_t>(load(block.heartbeat_ns)));
  return {{"worker", worker_name(sources, worker)},
          {"heartbeat_age_ms", std::max<std::int64_t>((now - heartbeat).count() / 1'000'000, 0)},
          {"max_loop_us", load(block.max_loop_ns) / 1000},
          {"rx_pps", static_cast<std::uint64_t>(rates.rx_pps)},
          {"tx_pps", static_cast<std::uint64_t>(rates.tx_pps)},
          {"applied_seq", load(block.applied_seq)},
          {"command_ring", {{"used", ring.commands}, {"cells", capacity.command_cells}}},
          {"command_backlog", ring.backlog},
          {"event_ring",
           {{"used", first_engine(sources).reader().used(worker)}, {"cells", capacity.event_cells}}},
          {"counters", counters_of(block)}};
}

Json report_ports(const ReportSources& sources) {
  Json ports = Json::array();
  for (const PortInfo& port : first_engine(sources).ports()) {
    ports.push_back({{"name", port.name},
                     {"kind", to_string(port.kind)},
                     {"link_up", port.link_up},
                     {"mtu", port.mtu},
                     {"mac", wire::to_string(port.mac)},
                     {"ifindex", port.ifindex}});
  }
  return ports;
}

const char* authentication(const ControlOptions& options) {
  if (options.turn.stun_only) return "none, STUN only";
  if (!options.turn.authenticate) return "none";
  return options.ephemeral.enabled ? "ephemeral" : "long-term";
}

// One database, a connection of every shard: it is up when all of them are.
Json report_user_store(const ReportSources& sources, const std::vector<ShardReport>& shards) {
  Json report{{"realms", sources.shards.front()->users().realm_count()}};
  report.update(sum_of(shards, &ShardReport::users));
  for (const ShardReport& shard : shards) {
    if (!shard.users.contains("trouble")) continue;
    report["up"] = false;
    report["trouble"] = shard.users["trouble"];
  }
  return report;
}

Json report_threads(const ReportSources& sources, const std::vector<ShardReport>& shards) {
  Json threads = Json::array();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    Json workers = Json::array();
    for (const ShardReport::Ring& ring : shards[i].rings) {
      if (ring.index != sources.attachment.workers()) workers.push_back(ring.index);
    }
    threads.push_back({{"thread", i},
                       {"workers", std::move(workers)},
                       {"sessions", shards[i].sessions},
                       {"connections", shards[i].clients["connections"]},
                       {"dtls_sessions", shards[i].clients["dtls_sessions"]},
                       {"busy", shards[i].busy}});
  }
  return threads;
}

std::size_t session_count(const std::vector<ShardReport>& shards) {
  std::size_t count = 0;
  for (const ShardReport& shard : shards) count += shard.sessions;
  return count;
}

Json report_bandwidth(const ReportSources& sources) {
  const auto use = first_engine(sources).server().bandwidth_use();
  return {{"handed_out_bps", use.handed_out}, {"capacity_bps", use.capacity}};
}

Json report_errors(const ReportSources& sources, Time now) {
  Json errors = Json::array();
  for (WorkerIndex worker = 0; worker <= sources.attachment.workers(); ++worker) {
    for (const shm::ErrorRecord& record : sources.attachment.region().worker(worker).errors) {
      const std::uint64_t count = record.count.load(std::memory_order_acquire);  // E2
      if (count == 0) continue;
      const Time last(static_cast<std::int64_t>(load(record.last_ns)));
      errors.push_back({{"worker", worker_name(sources, worker)},
                        {"text", shm::error_text(record)},
                        {"count", count},
                        {"last_s_ago", std::max<std::int64_t>(whole_seconds(now - last), 0)}});
    }
  }
  return errors;
}

Json report_session(const shm::Region& region, const Engine& engine, const turn::SessionView& session,
                    Time now) {
  const shm::AllocationCounters& traffic =
      region.allocation(session.allocation.worker, session.allocation.index);
  const shm::OverLimitCounters& over_limit =
      region.over_limit(session.allocation.worker, session.allocation.index);
  const Client* client = engine.clients().find(session.five_tuple);
  Json relays = Json::array();
  for (const wire::RelayEndpoint& relay : {session.relay_v4, session.relay_v6}) {
    if (relay.address.family != wire::Family::kNone) relays.push_back(wire::to_string(relay));
  }
  Json peers = Json::array();
  for (const turn::SessionView::Peer& peer : session.peers) {
    const bool channel = peer.channel != 0;
    Json entry{{"peer", channel ? wire::to_string(peer.peer) : wire::to_string(peer.peer.address)}};
    if (channel) entry["channel"] = peer.channel;
    entry["expires_in_s"] = whole_seconds(peer.deadline - now);
    peers.push_back(std::move(entry));
  }
  return {{"user", session.user},
          {"realm", session.realm},
          {"client", wire::to_string(session.five_tuple.client)},
          {"server", wire::to_string(session.five_tuple.server)},
          {"transport", std::string(turn::name_of(session.five_tuple.transport))},
          {"relays", std::move(relays)},
          {"expires_in_s", whole_seconds(session.deadline - now)},
          {"worker", session.allocation.worker},
          {"to_peer",
           {{"packets", load(traffic.to_peer_packets)},
            {"bytes", load(traffic.to_peer_bytes)},
            {"over_limit", load(over_limit.to_peer_packets)}}},
          {"to_client",
           {{"packets", load(traffic.to_client_packets)},
            {"bytes", load(traffic.to_client_bytes)},
            {"over_limit", load(over_limit.to_client_packets)}}},
          {"max_bps", session.max_bps},
          {"media_dropped", client == nullptr ? 0 : client->dropped_media()},
          {"peers", std::move(peers)}};
}

// One entry for each line of a counter table: name, meaning, sum, and what each worker counted.
template <typename Counters, typename Count>
Json per_worker(const ReportSources& sources, const Counters& table, const char* title, Count&& count) {
  Json entries = Json::array();
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::uint64_t total = 0;
    Json workers = Json::object();
    for (WorkerIndex worker = 0; worker <= sources.attachment.workers(); ++worker) {
      const std::uint64_t value = count(sources.attachment.region().worker(worker), i);
      workers[worker_name(sources, worker)] = value;
      total += value;
    }
    entries.push_back({{title, std::string(table[i].name)},
                       {"text", std::string(table[i].text)},
                       {"total", total},
                       {"workers", std::move(workers)}});
  }
  return entries;
}

Json answer_reload(const ReloadVerb& reload) {
  const auto need_restart = reload();
  if (!need_restart) return {{"ok", false}, {"error", need_restart.error()}};
  Json names = Json::array();
  for (const std::string_view name : *need_restart) names.push_back(std::string(name));
  return {{"ok", true}, {"need_restart", std::move(names)}};
}

Json report_drain(const ReportSources& sources, Time now) {
  const auto state = sources.drain.state(now);
  if (!state) return {{"on", false}};
  Json report{{"on", true}, {"allocations", state->allocations}, {"min_allocations", state->min_allocations}};
  report["deadline_in_s"] = state->left ? Json(whole_seconds(*state->left)) : Json();
  return report;
}

// What the request leaves out is as the options say.
Json answer_drain(const ReportSources& sources, const Json& request, Time now) {
  DrainLimits limits = sources.options.drain;
  limits.min_allocations = request.value("min_allocations", limits.min_allocations);
  limits.deadline = seconds(
      std::clamp<std::int64_t>(request.value("deadline_s", limits.deadline.count()), 0, kLongestDrain));
  sources.drain.start(limits, now);
  return {{"ok", true}, {"drain", report_drain(sources, now)}};
}

Json answer_undrain(const ReportSources& sources, Time now) {
  sources.drain.undo();
  return {{"ok", true}, {"drain", report_drain(sources, now)}};
}

Json answer_verb(const ReportSources& sources, Time now, const Json& request, const ReloadVerb& reload) {
  const std::string verb = request.value("verb", std::string());
  if (verb == "status") return report_status(sources, now);
  if (verb == "sessions") return report_sessions(sources, now, request.value("limit", std::size_t{0}));
  if (verb == "drops") return report_drops(sources);
  if (verb == "io") return report_io(sources);
  if (verb == "perf") return report_perf(sources, now);
  if (verb == "reload") return answer_reload(reload);
  if (verb == "drain") return answer_drain(sources, request, now);
  if (verb == "undrain") return answer_undrain(sources, now);
  return {{"ok", false},
          {"error", "unknown verb \"" + verb +
                        "\"; there are status, sessions, drops, io, perf, reload, drain and undrain"}};
}

}  // namespace

Json report_status(const ReportSources& sources, Time now) {
  const auto& header = sources.attachment.region().header();
  const auto& served = first_engine(sources).served();
  const std::vector<ShardReport> shards = ask_shards(sources.shards);
  Json listening = Json::array();
  for (const wire::IpAddress& address : served.listening) {
    listening.push_back(wire::to_string(wire::Endpoint{address, 0, sources.options.listening_port}));
  }
  Json relays = Json::array();
  for (const turn::RelayAddress& relay : served.relays) {
    Json entry{{"address", wire::to_string(relay.own)}};
    if (relay.advertised != relay.own) entry["external"] = wire::to_string(relay.advertised);
    relays.push_back(std::move(entry));
  }
  Json workers = Json::array();
  for (WorkerIndex worker = 0; worker <= sources.attachment.workers(); ++worker) {
    workers.push_back(report_worker(sources, ring_of(shards, worker), now));
  }
  const Time dataplane_started(static_cast<std::int64_t>(header.start_ns));
  return {{"ok", true},
          {"version", std::string(config::version())},
          {"abi", {{"region", shm::kAbiVersion}, {"ledger", shm::kLedgerVersion}}},
          {"instance", sources.options.paths.instance},
          {"uptime_s", whole_seconds(now - sources.started)},
          {"dataplane",
           {{"version", sources.attachment.dataplane_version()},
            {"pid", sources.attachment.dataplane_pid()},
            {"attached", first_engine(sources).queues().connected()},
            {"uptime_s", std::max<std::int64_t>(whole_seconds(now - dataplane_started), 0)}}},
          {"realm", sources.options.turn.realm},
          {"authentication", authentication(sources.options)},
          {"users", sources.options.users.size()},
          {"listening", std::move(listening)},
          {"relay", std::move(relays)},
          {"relay_ports",
           {{"min", first_engine(sources).relay_ports().first},
            {"max", first_engine(sources).relay_ports().last}}},
          {"sessions", session_count(shards)},
          {"session_capacity",
           std::uint64_t{sources.attachment.region().capacity().allocations} * sources.attachment.workers()},
          {"drain", report_drain(sources, now)},
          {"bandwidth", report_bandwidth(sources)},
          {"ports", report_ports(sources)},
          {"workers", std::move(workers)},
          {"threads", report_threads(sources, shards)},
          {"server", sum_of(shards, &ShardReport::server)},
          {"clients", sum_of(shards, &ShardReport::clients)},
          {"user_store", report_user_store(sources, shards)},
          {"link", sum_of(shards, &ShardReport::link)},
          {"errors", report_errors(sources, now)}};
}

Json report_sessions(const ReportSources& sources, Time now, std::size_t limit) {
  Json sessions = Json::array();
  std::size_t total = 0;
  for (const auto& shard : sources.shards) {
    const std::size_t most = limit == 0 ? 0 : limit - std::min(limit, sessions.size());
    const Json more = shard->ask([&] {
      const Engine& engine = shard->engine();
      Json own = Json::array();
      engine.server().for_each_session([&](const turn::SessionView& session) {
        if (limit != 0 && own.size() >= most) return;
        own.push_back(report_session(sources.attachment.region(), engine, session, now));
      });
      total += engine.server().allocation_count();
      return own;
    });
    for (const Json& session : more) sessions.push_back(session);
  }
  return {{"ok", true}, {"total", total}, {"sessions", std::move(sessions)}};
}

Json report_drops(const ReportSources& sources) {
  Json drops =
      per_worker(sources, shm::kDropReasonTable, "reason",
                 [](const shm::WorkerBlock& block, std::size_t i) { return load(block.counts.drops[i]); });
  // Those that happened come first, the most frequent one on top.
  std::stable_sort(drops.begin(), drops.end(),
                   [](const Json& a, const Json& b) { return a["total"] > b["total"]; });
  return {{"ok", true}, {"drops", std::move(drops)}};
}

Json report_io(const ReportSources& sources) {
  Json counters =
      per_worker(sources, shm::kCounterTable, "counter",
                 [](const shm::WorkerBlock& block, std::size_t i) { return load(block.counts.counters[i]); });
  Json io = Json::array();
  for (Json& counter : counters) {
    if (counter["counter"].get_ref<const std::string&>().starts_with("io_")) io.push_back(std::move(counter));
  }
  return {{"ok", true}, {"io", std::move(io)}};
}

Json report_perf(const ReportSources& sources, Time now) {
  Json workers = Json::array();
  const auto& capacity = sources.attachment.region().capacity();
  for (WorkerIndex worker = 0; worker < sources.attachment.workers(); ++worker) {
    const shm::WorkerBlock& block = sources.attachment.region().worker(worker);
    Json counters = counters_of(block);
    Json entry{{"worker", worker_name(sources, worker)}, {"max_loop_us", load(block.max_loop_ns) / 1000}};
    for (const char* name : {"loops", "busy_loops", "sleeps", "rx_packets"}) entry[name] = counters[name];
    for (const auto& [name, value] : counters.items()) {
      if (name.starts_with("perf_")) entry[name.substr(5)] = value;
    }
    workers.push_back(std::move(entry));
  }
  return {{"ok", true},
          {"started_ns", sources.attachment.region().header().start_ns},
          {"now_ns", now.count()},
          {"command_cells", capacity.command_cells},
          {"event_cells", capacity.event_cells},
          {"workers", std::move(workers)}};
}

std::string answer_request(const ReportSources& sources, Time now, std::string_view line,
                           const ReloadVerb& reload) {
  Json answer;
  const Json request = Json::parse(line, nullptr, false);
  try {
    answer = request.is_object()
                 ? answer_verb(sources, now, request, reload)
                 : Json{{"ok", false}, {"error", "a request is one line like {\"verb\":\"status\"}"}};
  } catch (const Json::exception& error) {  // a member of another type than its verb takes
    answer = {{"ok", false}, {"error", std::string("invalid request: ") + error.what()}};
  }
  // User names are opaque bytes and need not be UTF-8.
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace turnpike::control
