// SPDX-License-Identifier: BSD-3-Clause
// Counters of one shard's engine, listeners and users.
#include "control/admin/shard_report.hpp"

namespace turnpike::control {
namespace {

Json report_server(const Engine& engine) {
  Json counters = Json::object();
  engine.server().counters().for_each([&](std::string_view name, std::string_view, std::uint64_t value) {
    counters[std::string(name)] = value;
  });
  return counters;
}

Json report_link(const Engine& engine) {
  return {{"requests", engine.reader().counters().requests},
          {"refusals", engine.reader().counters().refusals},
          {"events_invalid", engine.reader().counters().invalid},
          {"event_rings_corrupt", engine.reader().counters().corrupt},
          {"replies", engine.writer().counters().replies},
          {"replies_dropped", engine.queues().dropped_datagrams()},
          {"replies_without_path", engine.writer().counters().replies_without_path},
          {"facts_rebound", engine.writer().counters().rebound},
          {"facts_outside_tables", engine.writer().counters().outside_tables},
          {"next_hops", engine.next_hops().size()},
          {"next_hops_unresolved", engine.next_hops().unresolved()},
          {"next_hops_full", engine.next_hops().counters().table_full},
          {"destinations_without_route", engine.next_hops().counters().no_route}};
}

Json report_clients(const Engine& engine, const Listeners& listeners) {
  Json clients{{"connections", listeners.connections()},
               {"dtls_sessions", listeners.dtls_sessions()},
               {"media_to_full_ring", engine.queues().dropped_media()},
               {"messages_too_late", engine.late_messages()}};
  for_each(listeners.counters(),
           [&](const char* name, const char*, std::uint64_t value) { clients[name] = value; });
  return clients;
}

Json report_users(const UserDirectory& users, const ParkedRequests& parked) {
  Json report = Json::object();
  if (users.has_store()) {
    report["store"] = users.store_name();
    report["up"] = users.store_is_up();
    if (!users.store_is_up()) report["trouble"] = users.trouble();
  }
  const UserDirectory::Counters& counters = users.counters();
  report["counters"] = {{"lookups", counters.lookups},
                        {"lookups_found", counters.found},
                        {"lookups_unknown", counters.unknown},
                        {"lookups_failed", counters.failed},
                        {"lookups_refused", counters.refused},
                        {"cache_hits", counters.hits},
                        {"cached", users.cached()},
                        {"keys_malformed", counters.malformed},
                        {"store_outages", counters.outages},
                        {"requests_waiting", parked.size()},
                        {"requests_waited", parked.counters().parked},
                        {"requests_waiting_repeated", parked.counters().repeated},
                        {"requests_waiting_dropped", parked.counters().dropped}};
  return report;
}

ShardReport report_shard(Shard& shard) {
  const Engine& engine = shard.engine();
  ShardReport report;
  report.sessions = engine.server().allocation_count();
  report.busy = shard.busy();
  report.server = report_server(engine);
  report.link = report_link(engine);
  report.clients = report_clients(engine, shard.listeners());
  report.users = report_users(shard.users(), engine.parked());
  for (const WorkerIndex ring : engine.rings()) {
    report.rings.push_back({ring, engine.queues().ring_used(ring), engine.queues().backlog(ring)});
  }
  return report;
}

// The numbers of an object, and those of the objects in it.
void add_numbers(Json& sum, const Json& more) {
  for (const auto& [name, value] : more.items()) {
    if (value.is_object()) add_numbers(sum[name], value);
    if (value.is_number()) sum[name] = sum[name].get<std::uint64_t>() + value.get<std::uint64_t>();
  }
}

}  // namespace

std::vector<ShardReport> ask_shards(Shards shards) {
  std::vector<ShardReport> reports;
  for (const auto& shard : shards) reports.push_back(shard->ask([&] { return report_shard(*shard); }));
  return reports;
}

Json sum_of(const std::vector<ShardReport>& shards, Json ShardReport::*part) {
  Json sum = shards.front().*part;
  for (std::size_t i = 1; i < shards.size(); ++i) add_numbers(sum, shards[i].*part);
  return sum;
}

}  // namespace turnpike::control
