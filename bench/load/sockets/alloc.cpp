// SPDX-License-Identifier: BSD-3-Clause
// The three parts and their times.
#include "bench/load/sockets/alloc.hpp"

#include <cstdio>

#include "bench/load/sockets/server_memory.hpp"

namespace turnpike::load {
namespace {

using AllocClock = std::chrono::steady_clock;

std::uint32_t count_allocated(const Options& options, const std::vector<Session>& sessions) {
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < sessions.size(); i += options.sockets.peers_per_client) {
    if (sessions[i].relay.address.family != wire::Family::kNone) ++count;
  }
  return count;
}

double seconds_since(AllocClock::time_point start) {
  return std::chrono::duration<double>(AllocClock::now() - start).count();
}

}  // namespace

Result<AllocOutcome> run_alloc(const Options& options, const std::vector<Session>& sessions,
                               RequestPath& path, Signalling& signalling, std::atomic<bool>& stop) {
  AllocOutcome outcome;
  auto memory = resident_kib(options.sockets.server_pids);
  if (!memory) return Error{memory.error()};
  outcome.memory.before_kib = *memory;
  auto start = AllocClock::now();
  const Status up = signalling.set_up(stop);
  outcome.setup_seconds = seconds_since(start);
  outcome.allocated = count_allocated(options, sessions);
  if (memory = resident_kib(options.sockets.server_pids); memory) outcome.memory.allocated_kib = *memory;
  std::fprintf(stderr, "holding %u\n", outcome.allocated);
  start = AllocClock::now();
  while (up && !stop && seconds_since(start) < options.seconds) {
    path.receive([&](std::uint32_t client, Bytes message) { signalling.deliver(client, message); });
    signalling.keep_alive();
  }
  outcome.held_seconds = seconds_since(start);
  if (memory = resident_kib(options.sockets.server_pids); memory) outcome.memory.held_kib = *memory;
  std::fprintf(stderr, "held\n");
  if (options.sockets.leave) return outcome;
  stop = false;  // a second signal ends this as well
  start = AllocClock::now();
  const Status down = signalling.tear_down(stop);
  outcome.tear_down_seconds = seconds_since(start);
  outcome.torn_down = outcome.allocated - count_allocated(options, sessions);
  if (!down) return Error{down.error()};
  return outcome;
}

}  // namespace turnpike::load
