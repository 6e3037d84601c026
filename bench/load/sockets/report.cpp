// SPDX-License-Identifier: BSD-3-Clause
// Names and ratios.
#include "bench/load/sockets/report.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "bench/load/result.hpp"

namespace turnpike::load {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

const char* direction_name(const SocketOptions& options) {
  if (options.directions.empty()) return "none";
  if (options.directions.size() == 2) return "both";
  return options.directions[0] == kToPeer ? "to-peer" : "to-client";
}

const char* transport_name(const SocketOptions& options) {
  constexpr std::array<const char*, 4> kNames{"udp", "tcp", "tls", "dtls"};
  return kNames[static_cast<std::size_t>(options.transport)];
}

const char* role_name(const SocketOptions& options) {
  constexpr std::array<const char*, 3> kNames{"both", "client", "peer"};
  return kNames[static_cast<std::size_t>(options.role)];
}

const char* family_name(const wire::IpAddress& address) { return address.is_v4() ? "ipv4" : "ipv6"; }

// Where this process sends and receives the same packets it knows what is lost; where it only receives, as
// far as newer arrivals tell; where it only sends, nothing: those who receive do.
enum class Knowledge : std::uint8_t { kAll, kGaps, kNothing };

Knowledge knowledge_of(const Options& options) {
  const SocketOptions& sockets = options.sockets;
  if (sockets.role == Role::kBoth || options.swap) return Knowledge::kAll;
  if (sockets.role == Role::kClient && sockets.echo) return Knowledge::kAll;
  const Direction mine = sockets.role == Role::kClient ? kToClient : kToPeer;
  const bool receives =
      std::find(sockets.directions.begin(), sockets.directions.end(), mine) != sockets.directions.end();
  return receives ? Knowledge::kGaps : Knowledge::kNothing;
}

struct Losses {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t lost = 0;
  double ratio = 0;
};

Losses losses_of(const Options& options, const Outcome& outcome) {
  const Moment& begin = outcome.begin;
  const Moment& settled = outcome.settled;
  Losses losses{settled.sent - begin.sent, settled.received - begin.received, settled.drops - begin.drops,
                settled.corrupt - begin.corrupt};
  const std::uint64_t accounted = losses.delivered + losses.dropped + losses.corrupt;
  switch (knowledge_of(options)) {
    case Knowledge::kAll:
      losses.lost = losses.sent - std::min(losses.sent, accounted);
      losses.ratio = ratio(static_cast<double>(losses.lost), static_cast<double>(losses.sent));
      break;
    case Knowledge::kGaps: {
      const std::uint64_t missing = settled.missing - std::min(settled.missing, begin.missing);
      losses.lost = missing - std::min(missing, losses.dropped);
      losses.ratio = ratio(static_cast<double>(losses.lost), static_cast<double>(losses.lost + accounted));
      break;
    }
    case Knowledge::kNothing:
      break;
  }
  return losses;
}

Json signalling_json(const Signalling& signalling) {
  return {{"refreshes", signalling.refreshes()},
          {"refresh_failures", codes_json(signalling.refresh_failures())},
          {"retransmissions", signalling.retransmissions()},
          {"untrusted", signalling.untrusted()}};
}

Json scenario_json(const Options& options) {
  const SocketOptions& sockets = options.sockets;
  return {{"role", role_name(sockets)},
          {"transport", transport_name(sockets)},
          {"framing", options.indications ? "indications" : "channels"},
          {"direction", direction_name(sockets)},
          {"echo", sockets.echo},
          {"client_family", family_name(options.client_ip)},
          {"peer_family", family_name(options.peer_ip)},
          {"sessions", options.sessions},
          {"peers_per_client", sockets.peers_per_client},
          {"profile", sockets.profile.name},
          {"payload", options.payload},
          {"train", sockets.train},
          {"gso", sockets.gso && sockets.train > 1 && sockets.profile.sizes.size() == 1},
          {"burst", options.burst},
          {"sender_threads", sockets.sender_threads},
          {"receiver_threads", sockets.receiver_threads},
          {"offered_pps", options.rate}};
}

Json outcome_json(const Options& options, const Outcome& outcome) {
  const Moment& begin = outcome.begin;
  const Moment& settled = outcome.settled;
  const Losses losses = losses_of(options, outcome);
  const Bottleneck bottleneck = find_bottleneck(options, outcome);
  const bool known = knowledge_of(options) != Knowledge::kNothing;
  const auto in_time = static_cast<double>(outcome.end.received - begin.received);
  const auto megabits = static_cast<double>(outcome.end.bytes - begin.bytes) * 8 / 1e6;
  Json latencies = latencies_json(outcome.latencies);
  if (options.sockets.echo || options.swap) latencies = {{"round_trip", latencies["to_client"]}};
  return {{"seconds", outcome.seconds},
          {"sent_pps", ratio(static_cast<double>(losses.sent), outcome.seconds)},
          {"delivered_pps", ratio(in_time, outcome.seconds)},
          {"delivered_mbps", ratio(megabits, outcome.seconds)},
          {"sent", losses.sent},
          {"delivered", losses.delivered},
          {"delivered_in_all", settled.received},
          {"loss", known ? Json(losses.ratio) : Json()},
          {"lost_in_relay", known ? Json(losses.lost) : Json()},
          {"dropped_by_generator", losses.dropped},
          {"late", outcome.missed},
          {"refused", settled.refused - begin.refused},
          {"refusal", outcome.refusal == 0 ? "" : std::strerror(outcome.refusal)},
          {"send_errors", settled.errors - begin.errors},
          {"returned", settled.returned - begin.returned},
          {"not_returned", settled.not_returned - begin.not_returned},
          {"reordered", settled.reordered - begin.reordered},
          {"duplicate", settled.duplicate - begin.duplicate},
          {"corrupt", losses.corrupt},
          {"foreign", settled.foreign - begin.foreign},
          {"latency_us", std::move(latencies)},
          {"generator_idle", outcome.idle},
          {"limited_by", bottleneck.who},
          {"limited_by_reason", bottleneck.why}};
}

Json probe_step_json(const Options& options, const ProbeStep& step) {
  const Losses losses = losses_of(options, step.outcome);
  const double megabits = static_cast<double>(options.payload) * 8 / 1e6;
  return {{"offered_pps", step.rate},
          {"offered_mbps", static_cast<double>(step.rate) * megabits},
          {"sent_mbps", ratio(static_cast<double>(losses.sent) * megabits, step.outcome.seconds)},
          {"delivered_mbps", ratio(static_cast<double>(losses.delivered) * megabits, step.outcome.seconds)},
          {"sent", losses.sent},
          {"late", step.outcome.missed},
          {"refused", step.outcome.settled.refused - step.outcome.begin.refused},
          {"dropped_by_generator", losses.dropped},
          {"delivered", losses.delivered},
          {"lost_in_relay", losses.lost},
          {"loss", losses.ratio},
          {"limited_by", step.bottleneck.who},
          {"limited_by_reason", step.bottleneck.why}};
}

}  // namespace

NdrTrial trial_of(const Options& options, const Outcome& outcome) {
  const std::uint64_t refused = outcome.settled.refused - outcome.begin.refused;
  const bool streams = is_stream(options.sockets.transport);
  const Losses losses = losses_of(options, outcome);
  const std::uint64_t expected = sending_directions(options.sockets).empty()
                                     ? losses.delivered + losses.dropped + losses.lost
                                     : losses.sent + refused + outcome.missed;
  return {{.offered = expected,
           .late = outcome.missed,
           .refused = streams ? 0 : refused,
           .blocked = streams ? refused : 0,
           .dropped = losses.dropped,
           .lost = losses.lost},
          losses.sent};
}

Bottleneck find_bottleneck(const Options& options, const Outcome& outcome) {
  if (options.sockets.deaf) return {"generator", "its clients take no media (--deaf)"};
  return bottleneck_of(trial_of(options, outcome).packets);
}

void print_media(Scene& scene, const Outcome& outcome, double setup_seconds) {
  const Options& options = scene.options();
  Json result{{"mode", options.swap ? "swap" : "turn"}};
  result.update(scenario_json(options));
  result.update(outcome_json(options, outcome));
  if (scene.signals()) {
    result["setup_seconds"] = setup_seconds;
    result.update(signalling_json(scene.signalling()));
  }
  print_result(options.json, result);
}

void print_soak(Scene& scene, const Outcome& outcome, const ChurnCounts& churn) {
  const Options& options = scene.options();
  Json result{{"mode", "soak"}};
  result.update(scenario_json(options));
  result.update(Json{{"life_seconds", options.sockets.life_s},
                     {"seed", options.sockets.seed},
                     {"sessions_begun", churn.begun},
                     {"sessions_ended", churn.ended},
                     {"sessions_failed", churn.failed},
                     {"failures", codes_json(scene.signalling().refusals())}});
  result.update(outcome_json(options, outcome));
  result.update(signalling_json(scene.signalling()));
  print_result(options.json, result);
}

void print_alloc(const Options& options, const AllocOutcome& outcome, const Signalling& signalling) {
  const SocketOptions& sockets = options.sockets;
  const char* const framing = options.indications ? "indications" : "channels";
  Json result{{"mode", "alloc"},
              {"transport", transport_name(sockets)},
              {"framing", sockets.allocate_only ? "none" : framing},
              {"sessions", options.sessions},
              {"peers_per_client", sockets.peers_per_client},
              {"at_once", sockets.at_once},
              {"allocated", outcome.allocated},
              {"failures", codes_json(signalling.refusals())},
              {"setup_seconds", outcome.setup_seconds},
              {"setup_per_second", ratio(outcome.allocated, outcome.setup_seconds)},
              {"held_seconds", outcome.held_seconds},
              {"torn_down", outcome.torn_down},
              {"tear_down_seconds", outcome.tear_down_seconds}};
  if (!sockets.server_pids.empty()) {
    const ServerMemory& memory = outcome.memory;
    const auto grown = static_cast<double>(memory.allocated_kib) - static_cast<double>(memory.before_kib);
    result["server_memory_kib"] = {{"before", memory.before_kib},
                                   {"allocated", memory.allocated_kib},
                                   {"held", memory.held_kib},
                                   {"per_allocation", ratio(grown, outcome.allocated)}};
  }
  result.update(signalling_json(signalling));
  print_result(options.json, result);
}

void tell_probe_step(const Options& options, const ProbeStep& step) {
  const Json found = probe_step_json(options, step);
  std::fprintf(stderr, "%9.1f Mbit/s offered  %9.1f arrived  own %s  lost %s  limit: %s\n",
               found["offered_mbps"].get<double>(), found["delivered_mbps"].get<double>(),
               std::to_string(found["late"].get<std::uint64_t>() + found["refused"].get<std::uint64_t>() +
                              found["dropped_by_generator"].get<std::uint64_t>())
                   .c_str(),
               found["lost_in_relay"].dump().c_str(), step.bottleneck.who.c_str());
}

void print_ndr(const Options& options, const Json& found) {
  Json result{{"mode", "ndr"}};
  result.update(scenario_json(options));
  result.erase("offered_pps");
  result.update(found);
  print_result(options.json, result);
}

void print_probe(const Options& options, const std::vector<ProbeStep>& steps) {
  Json result{{"mode", "probe"}};
  result.update(scenario_json(options));
  result.erase("offered_pps");
  const ProbeStep* const best = best_of(steps);
  result["held_mbps"] = best == nullptr ? Json(0) : probe_step_json(options, *best)["delivered_mbps"];
  // Who set the limit: the lowest rate that was not held says it.
  const ProbeStep* worst = nullptr;
  for (const ProbeStep& step : steps) {
    if (step.bottleneck.who != "none" && (worst == nullptr || step.rate < worst->rate)) worst = &step;
  }
  result["limited_by"] = worst == nullptr ? "none" : worst->bottleneck.who;
  result["limited_by_reason"] = worst == nullptr ? "" : worst->bottleneck.why;
  result["steps"] = Json::array();
  for (const ProbeStep& step : steps) result["steps"].push_back(probe_step_json(options, step));
  print_result(options.json, result);
}

}  // namespace turnpike::load
