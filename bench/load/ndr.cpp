// SPDX-License-Identifier: BSD-3-Clause
// A step passes when more than half of its trials do.
#include "bench/load/ndr.hpp"

#include <cstdio>

#include "bench/load/ndr_search.hpp"

namespace turnpike::load {
namespace {

constexpr const char* kGenerator = "generator";

struct Step {
  std::uint64_t rate = 0;
  unsigned good = 0;
  Bottleneck limit{"none", ""};  // of the trials that failed; this program's own fault comes first
  Json losses = Json::array();
};

Result<Step> run_step(const Options& options, std::uint64_t rate, const RunNdrTrial& run,
                      const std::atomic<bool>& stop) {
  Step step{.rate = rate};
  for (unsigned i = 0; i < options.trials; ++i) {
    const auto trial = run(rate);
    if (!trial) return Error{trial.error()};
    if (stop.load(std::memory_order_relaxed)) return Error{"interrupted"};
    const Bottleneck limit = limit_of(options, *trial);
    const bool good = limit.who == "none";
    step.good += good;
    step.losses.push_back(trial->loss());
    if (!good && step.limit.who != kGenerator) step.limit = limit;
    std::fprintf(stderr, "%12llu pps  lost %.4f %%  %s\n", static_cast<unsigned long long>(rate),
                 trial->loss(),
                 good                      ? "good"
                 : limit.who == kGenerator ? "not offered"
                                           : "too much");
  }
  return step;
}

}  // namespace

double NdrTrial::loss() const {
  return sent == 0 ? 0 : static_cast<double>(packets.lost) / static_cast<double>(sent) * 100;
}

Bottleneck limit_of(const Options& options, const NdrTrial& trial) {
  PacedRun without_loss = trial.packets;
  without_loss.lost = 0;
  Bottleneck limit = bottleneck_of(without_loss);
  if (limit.who != "none" || trial.loss() <= options.max_loss) return limit;
  return {"server",
          "lost " + std::to_string(trial.packets.lost) + " of " + std::to_string(trial.sent) + " packets"};
}

Result<Json> find_ndr(const Options& options, const RunNdrTrial& run, const std::atomic<bool>& stop) {
  NdrSearch search(options.min_rate, options.max_rate);
  Json steps = Json::array();
  Step worst;  // the lowest rate that failed says what the limit was
  while (const auto rate = search.next()) {
    const auto step = run_step(options, *rate, run, stop);
    if (!step) return Error{step.error()};
    const bool passed = 2 * step->good > options.trials;
    if (!passed && (worst.rate == 0 || *rate < worst.rate)) worst = *step;
    steps.push_back({{"pps", *rate},
                     {"passed", passed},
                     {"good_trials", step->good},
                     {"loss_percent", step->losses},
                     {"limited_by", step->limit.who}});
    search.report(passed);
  }
  const auto pps = static_cast<double>(search.passed());
  return Json{{"mode", "ndr"},
              {"framing", options.indications ? "indications" : "channels"},
              {"sessions", options.sessions},
              {"payload", options.payload},
              {"max_loss_percent", options.max_loss},
              {"trials", options.trials},
              {"seconds", options.seconds},
              {"ndr_pps", search.passed()},
              {"ndr_mbps", pps * options.payload * 8 / 1e6},
              {"limited_by", worst.limit.who},
              {"limited_by_reason", worst.limit.why},
              {"steps", steps}};
}

}  // namespace turnpike::load
