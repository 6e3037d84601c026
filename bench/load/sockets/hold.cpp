// SPDX-License-Identifier: BSD-3-Clause
// The three parts and their times.
#include "bench/load/sockets/hold.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace turnpike::load {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kLook{20};

std::uint32_t count_allocated(const std::vector<Session>& sessions) {
  return static_cast<std::uint32_t>(std::count_if(
      sessions.begin(), sessions.end(),
      [](const Session& session) { return session.relay.address.family != wire::Family::kNone; }));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Result<HoldOutcome> hold(const Options& options, const std::vector<Session>& sessions, Signalling& signalling,
                         std::atomic<bool>& stop) {
  HoldOutcome outcome;
  auto start = Clock::now();
  const Status up = signalling.set_up(stop);
  outcome.setup_seconds = seconds_since(start);
  outcome.allocated = count_allocated(sessions);
  std::fprintf(stderr, "holding %u\n", outcome.allocated);
  start = Clock::now();
  while (up && !stop && seconds_since(start) < options.seconds) std::this_thread::sleep_for(kLook);
  outcome.held_seconds = seconds_since(start);
  std::fprintf(stderr, "held\n");
  if (options.sockets.leave) return outcome;
  stop = false;  // a second signal ends this as well
  start = Clock::now();
  const Status down = signalling.tear_down(stop);
  outcome.tear_down_seconds = seconds_since(start);
  outcome.torn_down = outcome.allocated - count_allocated(sessions);
  if (!down) return Error{down.error()};
  return outcome;
}

}  // namespace turnpike::load
