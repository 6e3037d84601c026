// SPDX-License-Identifier: BSD-3-Clause
// A second's figures, and those of the whole run.
#include "bench/load/report.hpp"

#include <rte_cycles.h>

#include <algorithm>

#include "bench/load/bottleneck.hpp"
#include "bench/load/result.hpp"

namespace turnpike::load {
namespace {

double seconds_of(std::uint64_t cycles) {
  return static_cast<double>(cycles) / static_cast<double>(rte_get_tsc_hz());
}

struct Rates {
  double seconds = 0;
  double out = 0;   // Mpps
  double in = 0;    // Mpps
  double idle = 0;  // share of the time in which nothing moved
};

Rates rates_between(const Sample& before, const Sample& after) {
  const std::uint64_t cycles = after.cycles - before.cycles;
  if (cycles == 0) return {};
  const double seconds = seconds_of(cycles);
  const auto mpps = [&](const PerDirection& from, const PerDirection& to) {
    return static_cast<double>(total(to) - total(from)) / seconds / 1e6;
  };
  return {seconds, mpps(before.sent, after.sent), mpps(before.received, after.received),
          static_cast<double>(after.idle - before.idle) / static_cast<double>(cycles)};
}

Bottleneck find_bottleneck(const Options& options, const Traffic& traffic, const Rates& rates,
                           std::int64_t lost) {
  if (options.rate == 0) return bottleneck_unpaced(rates.idle);
  const auto offered = static_cast<std::uint64_t>(static_cast<double>(options.rate) * rates.seconds);
  const std::uint64_t sent = total(traffic.end().sent) - total(traffic.begin().sent);
  // A burst may be on either side of the end.
  const std::uint64_t unsent = offered - std::min<std::uint64_t>(offered, sent + options.burst);
  const bool busy = rates.idle < kBusy;
  return bottleneck_of({.offered = offered,
                        .late = busy ? unsent : 0,
                        .blocked = busy ? 0 : unsent,
                        .lost = static_cast<std::uint64_t>(std::max<std::int64_t>(lost, 0))});
}

Json both(const PerDirection& counts) {
  return {{"to_peer", counts[kToPeer]}, {"to_client", counts[kToClient]}};
}

}  // namespace

void print_second(LiveLine& line, const Options& options, const Arrivals& arrivals, const Sample& before,
                  const Sample& now) {
  const std::uint64_t packets = total(now.received) - total(before.received);
  // Where not all is verified, nobody knows which packets are missing.
  const std::uint64_t lost = options.verify == 1 ? arrivals.missing() : total(now.given_up);
  line.print({.at_s = seconds_of(now.cycles),
              .length_s = seconds_of(now.cycles - before.cycles),
              .packets = packets,
              .bytes = packets * options.payload,
              .lost = lost});
}

void print_measured(const Options& options, const Traffic& traffic, const Arrivals& arrivals,
                    const Signalling& signalling, double set_up_seconds) {
  const Rates rates = rates_between(traffic.begin(), traffic.end());
  const Sample& all = traffic.all();
  const auto lost = static_cast<std::int64_t>(total(all.sent)) -
                    static_cast<std::int64_t>(total(all.received) + arrivals.damaged());
  const Bottleneck bottleneck = find_bottleneck(options, traffic, rates, lost);
  Json result{{"mode", options.port.null ? "null"
                       : options.swap    ? "swap"
                                         : "turn"},
              {"framing", options.indications ? "indications" : "channels"},
              {"sessions", options.sessions},
              {"payload", options.payload},
              {"seconds", rates.seconds},
              {"mpps_out", rates.out},
              {"mpps_in", rates.in},
              {"generator_idle", rates.idle},
              {"limited_by", bottleneck.who},
              {"limited_by_reason", bottleneck.why},
              {"sent", both(all.sent)},
              {"received", both(all.received)},
              {"lost", lost},
              {"verified", arrivals.verified},
              {"reordered", arrivals.reordered},
              {"duplicate", arrivals.duplicate},
              {"corrupt", arrivals.corrupt},
              {"checksum", arrivals.checksum},
              {"address", arrivals.address},
              {"foreign", arrivals.foreign},
              {"latency_us", latencies_json(traffic.latencies())},
              {"retransmissions", signalling.retransmissions()},
              {"untrusted", signalling.untrusted()}};
  if (!options.swap) {
    result["set_up_seconds"] = set_up_seconds;
    result["set_ups_per_second"] = options.sessions / set_up_seconds;
    result["refreshes"] = signalling.refreshes();
    result["refresh_failures"] = codes_json(signalling.refresh_failures());
  }
  print_result(options.json, result);
}

}  // namespace turnpike::load
