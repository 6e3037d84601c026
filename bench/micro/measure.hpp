// SPDX-License-Identifier: BSD-3-Clause
// What every bench shares. Names are SCENARIO/MODE/PARAMETER:VALUE…; the product's own mode is "turnpike",
// all other modes of a scenario are its rivals. bench/scenarios/micro.py reads them.
#pragma once

#include <benchmark/benchmark.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace turnpike::bench {

// The burst of the packet path: everything is measured in such portions.
inline constexpr std::size_t kBatch = 32;

// At the end of a bench whose every iteration had so many items.
inline void count_items(benchmark::State& state, std::size_t per_iteration) {
  const auto items = static_cast<std::int64_t>(per_iteration) * state.iterations();
  state.SetItemsProcessed(items);
  state.counters["per_item"] = benchmark::Counter(static_cast<double>(items),
                                                  benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// Times a part of an iteration, for benches that have to prepare each one (UseManualTime()): CPU time of this
// thread, so that what else runs on the machine is not in it. Reading it costs a system call; the part must
// be long.
class PartTimer {
public:
  explicit PartTimer(benchmark::State& state) : state_(state), start_(now()) {}
  ~PartTimer() { state_.SetIterationTime(now() - start_); }
  PartTimer(const PartTimer&) = delete;
  PartTimer& operator=(const PartTimer&) = delete;

private:
  static double now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }

  benchmark::State& state_;
  double start_;
};

// The same order in every run.
inline std::mt19937_64 random_order() { return std::mt19937_64(20'260'101); }

// Preparation that fails is a mistake in the bench or a machine that is too small: nothing can be measured.
[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "turnpike-bench: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace turnpike::bench
