// SPDX-License-Identifier: BSD-3-Clause
// Lines, the table and the JSON.
#include "bench/load/report.hpp"

#include <rte_cycles.h>

#include <cinttypes>
#include <cstdio>

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

Json both(const PerDirection& counts) {
  return {{"to_peer", counts[kToPeer]}, {"to_client", counts[kToClient]}};
}

}  // namespace

void print_second(const Options& options, const Sample& before, const Sample& now) {
  const Rates rates = rates_between(before, now);
  const std::uint64_t out = total(now.sent);
  const std::uint64_t in = total(now.received);
  std::fprintf(options.json ? stderr : stdout,
               "%5.0f s  out %8.4f Mpps  in %8.4f Mpps  under way or lost %" PRIu64 "\n",
               seconds_of(now.cycles), rates.out, rates.in, out > in ? out - in : 0);
  std::fflush(options.json ? stderr : stdout);
}

void print_measured(const Options& options, const Traffic& traffic, const Arrivals& arrivals,
                    const Signalling& signalling) {
  const Rates rates = rates_between(traffic.begin(), traffic.end());
  const Sample& all = traffic.all();
  const Json result{{"mode", options.swap ? "swap" : "turn"},
                    {"framing", options.indications ? "indications" : "channels"},
                    {"sessions", options.sessions},
                    {"payload", options.payload},
                    {"seconds", rates.seconds},
                    {"mpps_out", rates.out},
                    {"mpps_in", rates.in},
                    {"generator_idle", rates.idle},
                    {"sent", both(all.sent)},
                    {"received", both(all.received)},
                    {"lost", static_cast<std::int64_t>(total(all.sent)) -
                                 static_cast<std::int64_t>(total(all.received) + arrivals.damaged())},
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
  print_result(options.json, result);
}

}  // namespace turnpike::load
