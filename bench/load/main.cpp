// SPDX-License-Identifier: BSD-3-Clause
// turnpike-load: plays TURN clients and their peers on a DPDK port or on kernel sockets, measures and
// verifies what comes back.
#include <rte_cycles.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

#include "bench/load/port_beside.hpp"
#include "bench/load/port_flood.hpp"
#include "bench/load/port_ndr.hpp"
#include "bench/load/report.hpp"
#include "bench/load/sockets/back_end.hpp"

namespace {

using namespace turnpike;
using namespace turnpike::load;

std::atomic<bool> stop_asked;
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) { stop_asked.store(true, std::memory_order_relaxed); }

void catch_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

void complain(const std::string& what) { std::fprintf(stderr, "turnpike-load: %s\n", what.c_str()); }

// Whether the traffic ran, and everything that arrived was right. Loss is a result, not a failure.
bool measure(Port& port, const Options& options, std::vector<Session>& sessions, PortRequests& requests,
             Signalling& signalling, double set_up_seconds) {
  Outbox outbox(options, sessions);
  Inspector inspector(options, sessions, outbox);
  PortBeside beside(options, requests, signalling);
  auto traffic = Traffic::make(port, options, outbox, inspector, beside);
  if (!traffic) {
    complain(traffic.error());
    return false;
  }
  std::fprintf(stderr, "measuring\n");
  if (options.ndr) {
    const auto found = find_port_ndr(options, **traffic, stop_asked);
    if (!found) complain(found.error());
    if (found) print_result(options.json, *found);
    return found && inspector.arrivals().bad() == 0;
  }
  LiveLine line(inspector.latencies());
  const bool there = (*traffic)->run(options.rate, stop_asked, [&](const Sample& before, const Sample& now) {
    print_second(line, options, inspector.arrivals(), before, now);
  });
  print_measured(options, **traffic, inspector.arrivals(), signalling, set_up_seconds);
  if (!there) complain("the other side went away");
  return there && inspector.arrivals().bad() == 0;
}

// Who has the server's address, or routes to it, answers with its MAC.
Status resolve(Port& port, Options& options) {
  constexpr unsigned kTries = 50;
  constexpr unsigned kMilliseconds = 100;
  const Neighbours neighbours(options);
  std::array<rte_mbuf*, 32> burst;
  for (unsigned tries = 0; tries < kTries * kMilliseconds; ++tries) {
    if (tries % kMilliseconds == 0) {
      const auto question = neighbours.question();
      port.send(question.size(),
                [&](std::uint8_t* out) { std::memcpy(out, question.data(), question.size()); });
    }
    const std::uint16_t count = port.receive(burst);
    std::optional<wire::MacAddress> mac;
    for (std::uint16_t i = 0; i < count && !mac; ++i) mac = neighbours.server_in(bytes_of(burst[i]));
    rte_pktmbuf_free_bulk(burst.data(), count);
    if (mac) {
      options.relay_mac = *mac;
      return Unit{};
    }
    rte_delay_us_sleep(1000);
  }
  return Error{"server=" + to_string(options.server.address) + ": nobody answers for it; give --relay-mac"};
}

// Whether the server still answers.
bool flood(Port& port, const Options& options) {
  const auto outcome = run_port_flood(port, options, stop_asked);
  if (!outcome) {
    complain(outcome.error());
    return false;
  }
  print_flood(options, *outcome);
  if (!outcome->answers_binding) complain("the server does not answer any more");
  return outcome->answers_binding;
}

int run_port(Options options) {
  auto port = Port::open(options);
  if (!port) {
    complain(port.error());
    return 1;
  }
  catch_signals();
  if (options.resolve_relay) {
    if (auto resolved = resolve(**port, options); !resolved) {
      complain(resolved.error());
      return 1;
    }
  }
  if (options.sockets.mode == Mode::kInvalid) return flood(**port, options) ? 0 : 1;
  std::vector<Session> sessions = make_sessions(options);
  PortRequests requests(**port, options, sessions);
  Signalling signalling(requests, options, sessions, {.at_once = options.sockets.at_once});
  if (options.swap) return measure(**port, options, sessions, requests, signalling, 0) ? 0 : 1;

  bool good = true;
  const auto start = std::chrono::steady_clock::now();
  if (auto done = signalling.set_up(stop_asked); !done) {
    complain(done.error());
    good = false;
  } else {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    good = measure(**port, options, sessions, requests, signalling, took.count());
  }
  if (!(*port)->up()) return 1;
  if (good && options.sockets.leave) return 0;
  stop_asked = false;  // a second signal ends this as well
  if (auto done = signalling.tear_down(stop_asked); !done) {
    complain(done.error());
    good = false;
  }
  return good ? 0 : 1;
}

int run(const Options& options) {
  if (!options.sockets.on) return run_port(options);
  catch_signals();
  auto done = run_sockets(options, stop_asked);
  if (!done) complain(done.error());
  return done ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = parse_options(argc, argv);
    if (options) return *options ? run(**options) : 0;
    complain(options.error());
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return 1;
}
