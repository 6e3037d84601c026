// SPDX-License-Identifier: BSD-3-Clause
// The rates of a speed test close in on what goes through.
#include "bench/load/sockets/probe.hpp"

#include <gtest/gtest.h>

namespace turnpike::load {
namespace {

// Of a server that takes so many packets a second and loses the rest.
std::vector<ProbeStep> probe(std::uint64_t limit) {
  std::vector<ProbeStep> steps;
  while (const std::uint64_t rate = next_probe_rate(steps)) {
    EXPECT_LT(steps.size(), 100U);
    steps.push_back({rate, {}, {rate <= limit ? "none" : "server", ""}});
  }
  return steps;
}

TEST(Probe, finds_the_limit_within_a_tenth) {
  for (const std::uint64_t limit : {700U, 9'000U, 10'000U, 77'777U, 1'000'000U}) {
    const auto steps = probe(limit);
    const ProbeStep* const best = best_of(steps);
    ASSERT_NE(best, nullptr);
    EXPECT_LE(best->rate, limit);
    EXPECT_GE(static_cast<double>(best->rate) * 1.1, static_cast<double>(limit)) << limit;
  }
}

TEST(Probe, gives_up_on_who_takes_nothing) {
  const auto steps = probe(0);
  EXPECT_EQ(best_of(steps), nullptr);
  EXPECT_LT(steps.size(), 10U);
}

TEST(Probe, ends_with_a_server_that_takes_everything) { EXPECT_LE(probe(UINT64_MAX).size(), 16U); }

}  // namespace
}  // namespace turnpike::load
