// SPDX-License-Identifier: BSD-3-Clause
// The order of things, for each mode.
#include "bench/load/sockets/back_end.hpp"

#include <chrono>

#include "bench/load/sockets/flood.hpp"
#include "bench/load/sockets/media_run.hpp"
#include "bench/load/sockets/network_namespace.hpp"
#include "bench/load/sockets/report.hpp"
#include "bench/load/sockets/scene.hpp"

namespace turnpike::load {
namespace {

Status alloc(const Options& options, std::atomic<bool>& stop) {
  Scene scene(options, {options.sockets.at_once, true, options.sockets.allocate_only});
  auto outcome = run_alloc(options, scene.sessions(), scene.clients(), scene.signalling(), stop);
  if (!outcome) return Error{outcome.error()};
  print_alloc(options, *outcome, scene.signalling());
  return Unit{};
}

Status invalid(const Options& options, std::atomic<bool>& stop) {
  const auto outcome = run_flood(options, stop);
  if (!outcome) return Error{outcome.error()};
  print_flood(options, *outcome);
  return outcome->answers_binding ? Status(Unit{}) : Error{"the server does not answer any more"};
}

// What stands between allocations and media, whatever the media is for.
using Measure = std::function<Status(Scene& scene, MediaRun& run)>;

Status set_up_and_measure(Scene& scene, const MediaRun::Upkeep& upkeep, const Measure& measure) {
  if (auto joined = scene.join_all(); !joined) return joined;
  auto run = MediaRun::make(scene.ends(), upkeep);
  if (!run) return Error{run.error()};
  return measure(scene, **run);
}

Status with_allocations(Scene& scene, double& setup_seconds, const Measure& measure,
                        std::atomic<bool>& stop) {
  if (auto opened = scene.open(); !opened) return opened;
  const auto start = std::chrono::steady_clock::now();
  Status done = scene.signals() ? scene.signalling().set_up(stop) : Status(Unit{});
  setup_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (done)
    done = set_up_and_measure(
        scene, [&scene] { scene.keep_alive(); }, measure);
  if (!scene.signals()) return done;
  stop = false;  // a second signal ends this as well
  const Status down = scene.signalling().tear_down(stop);
  return done ? down : done;
}

Status judge(const Moment& settled) {
  const bool good = settled.corrupt == 0 && settled.duplicate == 0;
  return good ? Status(Unit{}) : Error{"some arrivals were not what was sent: see duplicate and corrupt"};
}

Status media(const Options& options, std::atomic<bool>& stop) {
  Scene scene(options, {options.sockets.at_once, false, false});
  double setup_seconds = 0;
  const auto measure = [&](Scene&, MediaRun& run) {
    const Outcome outcome =
        run.run(std::chrono::seconds(options.warmup), std::chrono::seconds(options.seconds), stop);
    print_media(scene, outcome, setup_seconds);
    return judge(outcome.settled);
  };
  return with_allocations(scene, setup_seconds, measure, stop);
}

Status probe(Options options, std::atomic<bool>& stop) {
  const bool one_rate = options.rate != 0;
  Scene scene(options, {options.sockets.at_once, false, false});
  double setup_seconds = 0;
  std::vector<ProbeStep> steps;
  const auto measure = [&](Scene&, MediaRun& run) {
    std::uint64_t rate = one_rate ? options.rate : next_probe_rate(steps);
    while (rate != 0 && !stop) {
      options.rate = rate;
      const Outcome outcome = run.run(std::chrono::seconds(0), std::chrono::seconds(options.seconds), stop);
      steps.push_back({rate, outcome, find_bottleneck(options, outcome)});
      tell_probe_step(options, steps.back());
      rate = one_rate ? 0 : next_probe_rate(steps);
    }
    print_probe(options, steps);
    return steps.empty() ? Status(Unit{}) : judge(steps.back().outcome.settled);
  };
  return with_allocations(scene, setup_seconds, measure, stop);
}

Status ndr(Options options, std::atomic<bool>& stop) {
  Scene scene(options, {options.sockets.at_once, false, false});
  double setup_seconds = 0;
  const auto measure = [&](Scene&, MediaRun& run) -> Status {
    Status whole{Unit{}};
    const auto trial = [&](std::uint64_t rate) -> Result<NdrTrial> {
      options.rate = rate;
      const Outcome outcome =
          run.run(std::chrono::seconds(options.warmup), std::chrono::seconds(options.seconds), stop);
      if (whole) whole = judge(outcome.settled);
      return trial_of(options, outcome);
    };
    const auto found = find_ndr(options, trial, stop);
    if (!found) return Error{found.error()};
    print_ndr(options, *found);
    return whole;
  };
  return with_allocations(scene, setup_seconds, measure, stop);
}

Status soak(const Options& options, std::atomic<bool>& stop) {
  Scene scene(options, {options.sockets.at_once, true, false});
  if (auto opened = scene.open(); !opened) return opened;
  std::optional<Churn> churn;
  const auto upkeep = [&] {
    churn->step();
    if (!churn->error().empty()) stop = true;
  };
  auto run = MediaRun::make(scene.ends(), upkeep);
  if (!run) return Error{run.error()};
  churn.emplace(scene, **run);
  const Outcome outcome =
      (*run)->run(std::chrono::seconds(options.warmup), std::chrono::seconds(options.seconds), stop);
  scene.settle();  // who is ending already would be told to end twice
  stop = false;    // a second signal ends this as well
  const Status down = scene.signalling().tear_down(stop);
  print_soak(scene, outcome, churn->counts());
  if (!churn->error().empty()) return Error{churn->error()};
  return down ? judge(outcome.settled) : down;
}

Status run_mode(const Options& options, std::atomic<bool>& stop) {
  switch (options.sockets.mode) {
    case Mode::kAlloc:
      return alloc(options, stop);
    case Mode::kInvalid:
      return invalid(options, stop);
    case Mode::kProbe:
      return probe(options, stop);
    case Mode::kSoak:
      return soak(options, stop);
    case Mode::kNdr:
      return ndr(options, stop);
    case Mode::kMedia:
      break;
  }
  return media(options, stop);
}

}  // namespace

Status run_sockets(const Options& options, std::atomic<bool>& stop) {
  if (auto pinned = pin(options.sockets, 0); !pinned) return pinned;
  return in_namespace(options.sockets.client_netns, [&] { return run_mode(options, stop); });
}

}  // namespace turnpike::load
