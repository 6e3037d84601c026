// SPDX-License-Identifier: BSD-3-Clause
// A relay with a known limit and a generator with another one: the search finds the lower, and names whose it
// is.
#include "bench/load/ndr.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace turnpike::load {
namespace {

class NdrTest : public testing::Test {
protected:
  NdrTest() {
    options.min_rate = 1'000;
    options.max_rate = 1'000'000;
    options.trials = 3;
    options.seconds = 1;
  }

  // Both let through so many packets of a second.
  RunNdrTrial limits(std::uint64_t generator, std::uint64_t server) const {
    return [=](std::uint64_t rate) -> Result<NdrTrial> {
      const std::uint64_t sent = std::min(rate, generator);
      return NdrTrial{{.offered = rate, .late = rate - sent, .lost = sent - std::min(sent, server)}, sent};
    };
  }

  Json find(const RunNdrTrial& run) {
    auto found = find_ndr(options, run, stop);
    EXPECT_TRUE(found) << found.error();
    return found ? *found : Json{};
  }

  Options options;
  std::atomic<bool> stop{false};
};

TEST_F(NdrTest, names_the_server_that_loses) {
  const Json found = find(limits(500'000, 77'777));
  EXPECT_NEAR(found["ndr_pps"].get<double>(), 77'777, 778);
  EXPECT_LE(found["ndr_pps"], 77'777);
  EXPECT_EQ(found["limited_by"], "server");
}

TEST_F(NdrTest, names_the_generator_that_cannot_offer_more) {
  const Json found = find(limits(50'000, 77'777));
  // A thousandth late is forgiven.
  EXPECT_NEAR(found["ndr_pps"].get<double>(), 50'000, 600);
  EXPECT_EQ(found["limited_by"], "generator");
  EXPECT_NE(found["limited_by_reason"].get<std::string>().find("late"), std::string::npos);
}

TEST_F(NdrTest, names_nobody_when_the_maximum_passes) {
  const Json found = find(limits(2'000'000, 2'000'000));
  EXPECT_EQ(found["ndr_pps"], 1'000'000);
  EXPECT_EQ(found["limited_by"], "none");
  EXPECT_EQ(found["steps"].size(), 1U);
}

// Less loss than what a paced run tolerates is still loss.
TEST_F(NdrTest, one_lost_packet_is_too_much_unless_allowed) {
  const auto one = [](std::uint64_t rate) -> Result<NdrTrial> {
    return NdrTrial{{.offered = rate, .lost = 1}, rate};
  };
  EXPECT_EQ(find(one)["ndr_pps"], 0);
  options.max_loss = 0.2;
  EXPECT_EQ(find(one)["ndr_pps"], 1'000'000);
}

TEST_F(NdrTest, more_than_half_of_the_trials_have_to_pass) {
  unsigned trial = 0;
  const auto every_third_fails = [&](std::uint64_t rate) -> Result<NdrTrial> {
    return NdrTrial{{.offered = rate, .lost = ++trial % 3 == 0 ? rate / 2 : 0}, rate};
  };
  EXPECT_EQ(find(every_third_fails)["ndr_pps"], 1'000'000);
  const auto two_of_three_fail = [&](std::uint64_t rate) -> Result<NdrTrial> {
    return NdrTrial{{.offered = rate, .lost = ++trial % 3 == 0 ? 0 : rate / 2}, rate};
  };
  EXPECT_EQ(find(two_of_three_fail)["ndr_pps"], 0);
}

TEST_F(NdrTest, ends_when_told_to) {
  stop = true;
  EXPECT_FALSE(find_ndr(options, limits(1, 1), stop));
}

}  // namespace
}  // namespace turnpike::load
