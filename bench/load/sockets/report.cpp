// SPDX-License-Identifier: BSD-3-Clause
// Names and ratios.
#include "bench/load/sockets/report.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "bench/load/bottleneck.hpp"
#include "bench/load/result.hpp"

namespace turnpike::load {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

const char* direction_name(const SocketOptions& options) {
  if (options.directions.size() == 2) return "both";
  return options.directions[0] == kToPeer ? "to-peer" : "to-client";
}

Bottleneck find_bottleneck(const Options& options, const Outcome& outcome, std::int64_t lost) {
  if (options.sockets.deaf) return {"generator", "its clients take no media (--deaf)"};
  const std::uint64_t refused = outcome.settled.refused - outcome.begin.refused;
  const bool streams = options.sockets.transport != ClientTransport::kUdp;
  return bottleneck_of({.offered = outcome.settled.sent - outcome.begin.sent + refused + outcome.missed,
                        .late = outcome.missed,
                        .refused = streams ? 0 : refused,
                        .blocked = streams ? refused : 0,
                        .dropped = outcome.settled.drops - outcome.begin.drops,
                        .lost = static_cast<std::uint64_t>(lost)});
}

const char* transport_name(const SocketOptions& options) {
  constexpr std::array<const char*, 3> kNames{"udp", "tcp", "tls"};
  return kNames[static_cast<std::size_t>(options.transport)];
}

}  // namespace

void print_media(const Options& options, const Outcome& outcome, const Signalling& signalling,
                 double setup_seconds) {
  const auto& [begin, end, settled] = std::tie(outcome.begin, outcome.end, outcome.settled);
  const auto sent = static_cast<std::int64_t>(settled.sent - begin.sent);
  const auto delivered = static_cast<std::int64_t>(settled.received - begin.received);
  const auto dropped = static_cast<std::int64_t>(settled.drops - begin.drops);
  const auto corrupt = static_cast<std::int64_t>(settled.corrupt - begin.corrupt);
  const auto lost = std::max<std::int64_t>(sent - delivered - dropped - corrupt, 0);
  const auto in_time = static_cast<double>(end.received - begin.received);
  const Bottleneck bottleneck = find_bottleneck(options, outcome, lost);
  Json result{
      {"mode", "sockets"},
      {"transport", transport_name(options.sockets)},
      {"framing", options.indications ? "indications" : "channels"},
      {"direction", direction_name(options.sockets)},
      {"sessions", options.sessions},
      {"profile", options.sockets.profile.name},
      {"payload", options.payload},
      {"train", options.sockets.train},
      {"gso", options.sockets.gso && options.sockets.train > 1 && options.sockets.profile.sizes.size() == 1},
      {"burst", options.burst},
      {"threads", options.sockets.threads},
      {"seconds", outcome.seconds},
      {"offered_pps", options.rate},
      {"sent_pps", ratio(static_cast<double>(sent), outcome.seconds)},
      {"delivered_pps", ratio(in_time, outcome.seconds)},
      {"delivered_mbps", ratio(static_cast<double>(end.bytes - begin.bytes) * 8 / 1e6, outcome.seconds)},
      {"sent", sent},
      {"delivered", delivered},
      {"delivered_in_all", settled.received},
      {"loss", ratio(static_cast<double>(lost), static_cast<double>(sent))},
      {"lost_in_relay", lost},
      {"dropped_by_generator", dropped},
      {"late", outcome.missed},
      {"refused", settled.refused - begin.refused},
      {"refusal", outcome.refusal == 0 ? "" : std::strerror(outcome.refusal)},
      {"send_errors", settled.errors - begin.errors},
      {"reordered", settled.reordered - begin.reordered},
      {"duplicate", settled.duplicate - begin.duplicate},
      {"corrupt", corrupt},
      {"foreign", settled.foreign - begin.foreign},
      {"latency_us", latencies_json(outcome.latencies)},
      {"generator_idle", outcome.idle},
      {"limited_by", bottleneck.who},
      {"limited_by_reason", bottleneck.why},
      {"setup_seconds", setup_seconds},
      {"retransmissions", signalling.retransmissions()},
      {"untrusted", signalling.untrusted()}};
  print_result(options.json, result);
}

void print_hold(const Options& options, const HoldOutcome& outcome, const Signalling& signalling) {
  Json failures = Json::object();
  for (const auto& [code, count] : signalling.refusals()) {
    failures[code == 0 ? "no answer" : std::to_string(code)] = count;
  }
  Json result{{"mode", "hold"},
              {"transport", transport_name(options.sockets)},
              {"framing", options.sockets.allocate_only ? "none"
                          : options.indications         ? "indications"
                                                        : "channels"},
              {"sessions", options.sessions},
              {"at_once", options.sockets.at_once},
              {"allocated", outcome.allocated},
              {"failures", failures},
              {"setup_seconds", outcome.setup_seconds},
              {"setup_per_second", ratio(outcome.allocated, outcome.setup_seconds)},
              {"held_seconds", outcome.held_seconds},
              {"torn_down", outcome.torn_down},
              {"tear_down_seconds", outcome.tear_down_seconds},
              {"retransmissions", signalling.retransmissions()},
              {"untrusted", signalling.untrusted()}};
  print_result(options.json, result);
}

}  // namespace turnpike::load
