// SPDX-License-Identifier: BSD-3-Clause
// The one who is to blame is named, the generator first.
#include "bench/load/bottleneck.hpp"

#include <gtest/gtest.h>

namespace turnpike::load {
namespace {

TEST(Bottleneck, one_in_a_thousand_is_forgiven) {
  for (const auto part :
       {&PacedRun::late, &PacedRun::refused, &PacedRun::blocked, &PacedRun::dropped, &PacedRun::lost}) {
    PacedRun run{.offered = 10'000};
    run.*part = 10;
    EXPECT_EQ(bottleneck_of(run).who, "none");
    run.*part = 11;
    EXPECT_NE(bottleneck_of(run).who, "none");
  }
}

TEST(Bottleneck, own_faults_add_up_and_come_first) {
  EXPECT_EQ(bottleneck_of({.offered = 10'000, .late = 4, .refused = 4, .dropped = 4, .lost = 5'000}).who,
            "generator");
  EXPECT_EQ(bottleneck_of({.offered = 10'000, .late = 4, .lost = 5'000}).who, "server");
  EXPECT_EQ(bottleneck_of({.offered = 10'000, .late = 4, .blocked = 50}).who, "server");
}

TEST(Bottleneck, the_reason_has_the_figures) {
  const auto generator = bottleneck_of({.offered = 1000, .late = 7, .refused = 20, .dropped = 300});
  EXPECT_EQ(
      generator.why,
      "327 of 1000 packets: 7 late, 20 without room in its send buffers, 300 dropped in its receive buffers");
  EXPECT_EQ(bottleneck_of({.offered = 1000, .lost = 5}).why, "lost 5 of 1000 packets");
}

TEST(Bottleneck, nothing_offered_limits_nobody) { EXPECT_EQ(bottleneck_of({}).who, "none"); }

TEST(Bottleneck, who_never_waits_is_the_limit) {
  EXPECT_EQ(bottleneck_unpaced(0.001).who, "generator");
  EXPECT_EQ(bottleneck_unpaced(0.3).who, "server");
  EXPECT_EQ(bottleneck_unpaced(0.3).why, "the generator waited for packets 30.0 % of the time");
}

}  // namespace
}  // namespace turnpike::load
