// SPDX-License-Identifier: BSD-3-Clause
// A step passes when more than half of its trials do.
#include "bench/load/port_ndr.hpp"

#include <cstdio>

#include "bench/load/ndr_search.hpp"

namespace turnpike::load {
namespace {

struct Trial {
  double loss = 0;    // of what was sent, in percent
  bool held = false;  // as much was sent as was asked for, but for a thousandth
};

Trial judge(const Options& options, std::uint64_t rate, const Sample& before, const Sample& after) {
  const auto sent = static_cast<double>(total(after.sent) - total(before.sent));
  const auto received = static_cast<double>(total(after.received) - total(before.received));
  const double offered = static_cast<double>(rate) * options.seconds;
  return {sent > received ? (sent - received) / sent * 100 : 0, sent + options.burst >= offered * 0.999};
}

bool passes(const Options& options, const Trial& trial) {
  return trial.held && trial.loss <= options.max_loss;
}

}  // namespace

Result<Json> find_ndr(const Options& options, Traffic& traffic, const std::atomic<bool>& stop) {
  NdrSearch search(options.min_rate, options.max_rate);
  Json steps = Json::array();
  while (const auto rate = search.next()) {
    unsigned good = 0;
    Json losses = Json::array();
    for (unsigned i = 0; i < options.trials; ++i) {
      const Sample before = traffic.all();
      if (!traffic.run(*rate, stop, [](const Sample&, const Sample&) {}))
        return Error{"the other side went away"};
      if (stop.load(std::memory_order_relaxed)) return Error{"interrupted"};
      const Trial trial = judge(options, *rate, before, traffic.all());
      good += passes(options, trial);
      losses.push_back(trial.loss);
      std::fprintf(stderr, "%12llu pps  lost %.4f %%  %s\n", static_cast<unsigned long long>(*rate),
                   trial.loss,
                   passes(options, trial) ? "good"
                   : trial.held           ? "too much"
                                          : "not held");
    }
    const bool passed = 2 * good > options.trials;
    steps.push_back({{"pps", *rate}, {"passed", passed}, {"good_trials", good}, {"loss_percent", losses}});
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
              {"steps", steps}};
}

}  // namespace turnpike::load
