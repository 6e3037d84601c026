// SPDX-License-Identifier: BSD-3-Clause
// The loop: a burst when it is due, a batch when there is one.
#include "bench/load/sockets/media_run.hpp"

#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

namespace turnpike::load {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kSpin{80};    // shorter waits are not worth sleeping
constexpr milliseconds kDrain{300};  // without any arrival
constexpr milliseconds kLinger{20};  // likewise, when all is there
constexpr milliseconds kMaxDrain{3000};
constexpr int kIdleMs = 2;
constexpr std::chrono::seconds kLine{1};

}  // namespace

Status pin(const SocketOptions& options, std::size_t part) {
  if (options.cpus.empty()) return Unit{};
  const int cpu = options.cpus[std::min(part, options.cpus.size() - 1)];
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) == 0) return Unit{};
  return Error{"cpu " + std::to_string(cpu) + ": " + std::strerror(errno)};
}

Outcome MediaRun::run(const std::atomic<bool>& stop) {
  static_cast<void>(prctl(PR_SET_TIMERSLACK, 1000));
  std::thread receiving;
  if (threaded()) receiving = std::thread([this] { receive_loop(); });
  if (ends_.options.warmup != 0) {
    traffic(std::chrono::seconds(ends_.options.warmup), stop);
    drain();
  }
  Outcome outcome;
  outcome.begin = moment();
  const LatencySnapshots warm_ones = snapshots_of(receiver_.latencies());
  std::fprintf(stderr, "measuring\n");
  const Phase phase = traffic(std::chrono::seconds(ends_.options.seconds), stop);
  std::fprintf(stderr, "measured\n");
  outcome.end = moment();
  drain();
  outcome.settled = moment();
  outcome.latencies = snapshots_of(receiver_.latencies());
  for (std::size_t i = 0; i < kDirections; ++i) outcome.latencies[i].subtract(warm_ones[i]);
  over_.store(true, std::memory_order_relaxed);
  if (receiving.joinable()) receiving.join();
  outcome.seconds = std::chrono::duration<double>(phase.took).count();
  outcome.idle = phase.took.count() == 0 ? 0 : std::chrono::duration<double>(phase.idle) / phase.took;
  outcome.missed = phase.missed;
  outcome.refusal = sender_.departures().refusal;
  return outcome;
}

MediaRun::Phase MediaRun::traffic(std::chrono::seconds length, const std::atomic<bool>& stop) {
  const std::uint32_t train = ends_.options.sockets.train;
  const std::uint32_t burst = (ends_.options.burst + train - 1) / train * train;
  Phase phase;
  const auto start = Clock::now();
  Pacer pacer(ends_.options.rate, burst, start);
  told_ = now_told(start);
  auto now = start;
  while (now - start < length && !stop.load(std::memory_order_relaxed)) {
    bool moved = false;
    if (pacer.due(now)) {
      sender_.send(burst);
      moved = true;
    }
    if (!threaded()) moved = receive_some(now) || moved;
    const auto gap = pacer.next() - Clock::now();
    if (!moved && gap > kSpin) {
      std::this_thread::sleep_for(
          std::min<Clock::duration>(gap - kSpin / 2, microseconds(ends_.options.sockets.sweep_us)));
    }
    const auto before = std::exchange(now, Clock::now());
    if (!moved) phase.idle += now - before;
    if ((now - start) / kLine != (told_.at - start) / kLine) tell_second(start, now);
  }
  phase.took = now - start;
  phase.missed = pacer.missed();
  return phase;
}

MediaRun::Told MediaRun::now_told(Clock::time_point now) const {
  const ArrivalCounts& in = receiver_.arrivals();
  return {now, in.good(), in.bytes};
}

void MediaRun::tell_second(Clock::time_point start, Clock::time_point now) {
  const Told before = std::exchange(told_, now_told(now));
  line_.print({.at_s = std::chrono::duration<double>(now - start).count(),
               .length_s = std::chrono::duration<double>(now - before.at).count(),
               .packets = told_.packets - before.packets,
               .bytes = told_.bytes - before.bytes,
               .lost = receiver_.arrivals().missing()});
}

bool MediaRun::receive_some(Clock::time_point now) {
  if (!receiver_.pending() && now < next_sweep_) return false;
  const bool moved = receiver_.step(0);
  if (!receiver_.pending()) next_sweep_ = Clock::now() + microseconds(ends_.options.sockets.sweep_us);
  return moved;
}

// Until all has arrived and nothing repeats it, or nothing has arrived for a while.
void MediaRun::drain() {
  const auto start = Clock::now();
  auto last = start;
  std::uint64_t before = 0;
  const ArrivalCounts& arrivals = receiver_.arrivals();
  while (true) {
    sender_.flush();
    if (threaded()) {
      std::this_thread::sleep_for(milliseconds(kIdleMs));
    } else {
      receiver_.step(kIdleMs);
    }
    const std::uint64_t arrived = arrivals.good() + arrivals.corrupt;  // a repetition is no arrival
    const std::uint64_t all = arrived + arrivals.duplicate;
    const auto now = Clock::now();
    if (std::exchange(before, all) != all) last = now;
    const auto patience = arrived >= sender_.departures().sent ? kLinger : kDrain;
    if (now - last > patience || now - start > kMaxDrain) return;
  }
}

void MediaRun::receive_loop() {
  static_cast<void>(pin(ends_.options.sockets, 1));
  while (!over_.load(std::memory_order_relaxed)) receiver_.step(kIdleMs);
}

Moment MediaRun::moment() const {
  const Departures& out = sender_.departures();
  const ArrivalCounts& in = receiver_.arrivals();
  return {.sent = out.sent,
          .refused = out.refused,
          .errors = out.errors,
          .received = in.good(),
          .bytes = in.bytes,
          .reordered = in.reordered,
          .duplicate = in.duplicate,
          .corrupt = in.corrupt,
          .foreign = in.foreign,
          .drops = ends_.drops()};
}

}  // namespace turnpike::load
