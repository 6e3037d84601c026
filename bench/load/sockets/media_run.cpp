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

Result<std::unique_ptr<MediaRun>> MediaRun::make(const Ends& ends, Upkeep upkeep) {
  std::unique_ptr<MediaRun> made(new MediaRun(ends, std::move(upkeep)));
  const SocketOptions& options = ends.options.sockets;
  for (std::uint32_t part = 0; part < options.sender_threads; ++part) {
    std::vector<std::uint32_t> sessions;
    for (std::uint32_t i = part; i < ends.sessions.size(); i += options.sender_threads) sessions.push_back(i);
    made->senders_.push_back(std::make_unique<Sender>(ends, std::move(sessions)));
  }
  const std::uint32_t parts = std::max(options.receiver_threads, 1U);
  std::vector<const LatencyHistograms*> latencies;
  for (std::uint32_t part = 0; part < parts; ++part) {
    auto receiver = Receiver::make(ends, part, parts);
    if (!receiver) return Error{receiver.error()};
    latencies.push_back(&(*receiver)->latencies());
    made->receivers_.push_back(std::move(*receiver));
  }
  made->line_.emplace(std::move(latencies));
  return made;
}

Outcome MediaRun::run(std::chrono::seconds warmup, std::chrono::seconds length,
                      const std::atomic<bool>& stop) {
  static_cast<void>(prctl(PR_SET_TIMERSLACK, 1000));
  std::vector<std::thread> receiving;
  for (std::size_t i = 0; threaded() && i < receivers_.size(); ++i) {
    receiving.emplace_back([this, i] { receive_loop(i); });
  }
  if (warmup.count() != 0) {
    traffic(warmup, stop);
    drain();
  }
  Outcome outcome;
  outcome.begin = moment();
  const LatencySnapshots warm_ones = latencies();
  std::fprintf(stderr, "measuring\n");
  const Phase phase = traffic(length, stop);
  std::fprintf(stderr, "measured\n");
  outcome.end = moment();
  drain();
  outcome.settled = moment();
  outcome.latencies = latencies();
  for (std::size_t i = 0; i < kDirections; ++i) outcome.latencies[i].subtract(warm_ones[i]);
  over_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : receiving) thread.join();
  over_.store(false, std::memory_order_relaxed);
  outcome.seconds = std::chrono::duration<double>(phase.took).count();
  outcome.idle = phase.took.count() == 0 ? 0 : std::chrono::duration<double>(phase.idle) / phase.took;
  outcome.missed = phase.missed;
  for (const auto& sender : senders_) {
    if (sender->departures().refusal != 0) outcome.refusal = sender->departures().refusal;
  }
  return outcome;
}

// The calling thread's senders and receivers, with helpers for the other senders.
MediaRun::Phase MediaRun::traffic(std::chrono::seconds length, const std::atomic<bool>& stop) {
  std::atomic<bool> over{false};
  const auto start = Clock::now();
  std::vector<std::uint64_t> missed(senders_.size());
  std::vector<std::thread> helpers;
  for (std::size_t i = 1; i < senders_.size(); ++i) {
    helpers.emplace_back([this, i, start, &over, &missed] { missed[i] = help(i, start, over); });
  }
  Phase phase = main_loop(length, stop);
  over.store(true, std::memory_order_relaxed);
  for (std::thread& helper : helpers) helper.join();
  for (const std::uint64_t more : missed) phase.missed += more;
  return phase;
}

MediaRun::Phase MediaRun::main_loop(std::chrono::seconds length, const std::atomic<bool>& stop) {
  Sender& sender = *senders_.front();
  const bool endless = length.count() == 0;
  Phase phase;
  const auto start = Clock::now();
  Pacer pacer = make_pacer(0, start);
  const Moment first = counts();
  told_ = {start, first.received, first.bytes};
  each_second(start, start);
  auto now = start;
  while ((endless || now - start < length) && !stop.load(std::memory_order_relaxed)) {
    bool moved = false;
    if (sender.sends() && pacer.due(now)) {
      sender.send(burst());
      moved = true;
    }
    if (!threaded()) moved = receive_some(now) || moved;
    upkeep_();
    const auto sweep = microseconds(ends_.options.sockets.sweep_us);
    const auto gap = sender.sends() ? pacer.next() - Clock::now() : Clock::duration(sweep);
    if (!moved && gap > kSpin) std::this_thread::sleep_for(std::min<Clock::duration>(gap - kSpin / 2, sweep));
    const auto before = std::exchange(now, Clock::now());
    if (!moved) phase.idle += now - before;
    if ((now - start) / kLine != (told_.at - start) / kLine) each_second(start, now);
  }
  phase.took = now - start;
  if (sender.sends()) pacer.give_up(now);
  phase.missed = pacer.missed();
  return phase;
}

std::uint32_t MediaRun::burst() const {
  const std::uint32_t train = ends_.options.sockets.train;
  return (ends_.options.burst + train - 1) / train * train;
}

// Each sender has its part of the rate, and begins at its part of the first burst's time.
Pacer MediaRun::make_pacer(std::size_t sender, Clock::time_point start) const {
  const std::uint64_t rate = ends_.options.rate;
  const std::uint64_t count = senders_.size();
  const std::uint64_t mine = std::max<std::uint64_t>(rate / count + (sender < rate % count ? 1 : 0), 1);
  return {mine, burst(), start + std::chrono::nanoseconds(burst() * std::nano::den / mine * sender / count)};
}

// How many packets it missed.
std::uint64_t MediaRun::help(std::size_t sender, Clock::time_point start, const std::atomic<bool>& over) {
  static_cast<void>(pin(ends_.options.sockets, sender));
  if (!senders_[sender]->sends()) return 0;
  Pacer pacer = make_pacer(sender, start);
  while (!over.load(std::memory_order_relaxed)) {
    if (pacer.due(Clock::now())) {
      senders_[sender]->send(burst());
      continue;
    }
    const auto gap = pacer.next() - Clock::now();
    if (gap > kSpin) std::this_thread::sleep_for(std::min<Clock::duration>(gap - kSpin / 2, milliseconds(1)));
  }
  pacer.give_up(Clock::now());
  return pacer.missed();
}

// The live line; and peers of another process hear of clients that do not send to them.
void MediaRun::each_second(Clock::time_point start, Clock::time_point now) {
  const SocketOptions& options = ends_.options.sockets;
  if (options.role == Role::kClient && sending_directions(options).empty()) senders_.front()->greet();
  if (now == start) return;
  const Moment all = counts();
  const Told before = std::exchange(told_, {now, all.received, all.bytes});
  line_->print({.at_s = std::chrono::duration<double>(now - start).count(),
                .length_s = std::chrono::duration<double>(now - before.at).count(),
                .packets = told_.packets - before.packets,
                .bytes = told_.bytes - before.bytes,
                .lost = all.missing});
}

bool MediaRun::receive_some(Clock::time_point now) {
  Receiver& receiver = *receivers_.front();
  if (!receiver.pending() && now < next_sweep_) return false;
  const bool moved = receiver.step(0);
  if (!receiver.pending()) next_sweep_ = Clock::now() + microseconds(ends_.options.sockets.sweep_us);
  return moved;
}

// Until all has arrived and nothing repeats it, or nothing has arrived for a while.
void MediaRun::drain() {
  const auto start = Clock::now();
  auto last = start;
  std::uint64_t before = 0;
  while (true) {
    for (const auto& sender : senders_) sender->flush();
    if (threaded()) {
      std::this_thread::sleep_for(milliseconds(kIdleMs));
    } else {
      receivers_.front()->step(kIdleMs);
    }
    const Moment all = counts();
    const std::uint64_t arrived = all.received + all.corrupt;  // a repetition is no arrival
    const std::uint64_t seen = arrived + all.duplicate + all.returned;
    const auto now = Clock::now();
    if (std::exchange(before, seen) != seen) last = now;
    const auto patience = arrived >= all.sent ? kLinger : kDrain;
    if (now - last > patience || now - start > kMaxDrain) return;
  }
}

void MediaRun::receive_loop(std::size_t receiver) {
  static_cast<void>(pin(ends_.options.sockets, senders_.size() + receiver));
  while (!over_.load(std::memory_order_relaxed)) receivers_[receiver]->step(kIdleMs);
}

LatencySnapshots MediaRun::latencies() const {
  LatencySnapshots sum;
  for (const auto& receiver : receivers_) {
    for (std::size_t i = 0; i < kDirections; ++i) sum[i].add(receiver->latencies()[i]);
  }
  return sum;
}

Moment MediaRun::counts() const {
  Moment sum;
  for (const auto& sender : senders_) {
    const Departures& out = sender->departures();
    sum.sent += out.sent;
    sum.refused += out.refused;
    sum.errors += out.errors;
  }
  for (const auto& receiver : receivers_) {
    const ArrivalCounts& in = receiver->arrivals();
    sum.received += in.good();
    sum.bytes += in.bytes;
    sum.missing += in.missing();
    sum.reordered += in.reordered;
    sum.duplicate += in.duplicate;
    sum.corrupt += in.corrupt;
    sum.foreign += in.foreign;
    sum.returned += in.returned;
    sum.not_returned += in.not_returned;
  }
  return sum;
}

Moment MediaRun::moment() const {
  Moment sum = counts();
  sum.drops = ends_.drops();
  return sum;
}

}  // namespace turnpike::load
