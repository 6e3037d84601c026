// SPDX-License-Identifier: BSD-3-Clause
// The talks with committed seeds. A failure names its seed and step; run it alone with TURNPIKE_MODEL_SEED.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/model/random_talk.hpp"

namespace turnpike::model {
namespace {

void run(std::uint64_t first_seed, Workers workers, const std::vector<int>& must_occur) {
  const char* only = std::getenv("TURNPIKE_MODEL_SEED");
  std::map<int, int> outcomes;
  for (std::uint64_t seed = first_seed; seed < first_seed + 16; ++seed) {
    if (only != nullptr && seed != std::strtoull(only, nullptr, 10)) continue;
    Talk talk(seed, workers);
    for (int step = 0; step < 5000; ++step) {
      try {
        talk.step();
      } catch (const std::exception& broken) {
        FAIL() << "seed " << seed << ", step " << step << ": " << broken.what();
      }
    }
    for (const auto& [code, count] : talk.outcomes) outcomes[code] += count;
  }
  if (only != nullptr) return;
  for (const int code : must_occur) EXPECT_GT(outcomes[code], 50) << "the talks hardly ever led to " << code;
}

TEST(TurnModel, workers_apply_at_once) {
  run(1000, Workers::kPrompt, {0, 400, 403, 437, 440, 441, 443, 486, 508});
}
TEST(TurnModel, workers_lag_behind) { run(2000, Workers::kLate, {0, 400, 403, 437, 441, 443, 508}); }
TEST(TurnModel, workers_refuse) { run(3000, Workers::kRefusing, {0, 508, -508}); }

}  // namespace
}  // namespace turnpike::model
