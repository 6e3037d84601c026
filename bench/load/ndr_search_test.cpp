// SPDX-License-Identifier: BSD-3-Clause
// Servers with a known limit.
#include "bench/load/ndr_search.hpp"

#include <gtest/gtest.h>

namespace turnpike::load {
namespace {

// What the search finds, and in how many steps.
std::pair<std::uint64_t, int> search(std::uint64_t minimum, std::uint64_t maximum, std::uint64_t limit) {
  NdrSearch ndr(minimum, maximum);
  int steps = 0;
  while (const auto rate = ndr.next()) {
    EXPECT_GE(*rate, minimum);
    EXPECT_LE(*rate, maximum);
    ndr.report(*rate <= limit);
    if (++steps > 40) break;
  }
  return {ndr.passed(), steps};
}

TEST(NdrSearch, ends_a_hundredth_below_the_limit) {
  for (const std::uint64_t limit : {1'500ULL, 123'456ULL, 9'999'999ULL, 19'999'999ULL}) {
    const auto [found, steps] = search(1'000, 20'000'000, limit);
    EXPECT_LE(found, limit);
    EXPECT_GE(static_cast<double>(found) * NdrSearch::kPrecision, static_cast<double>(limit) - 1) << limit;
    EXPECT_LE(steps, 14);
  }
}

TEST(NdrSearch, the_maximum_is_tried_first_and_the_minimum_next) {
  EXPECT_EQ(search(1'000, 2'000, 2'000), std::pair(std::uint64_t{2'000}, 1));
  EXPECT_EQ(search(1'000, 2'000, 999), std::pair(std::uint64_t{0}, 2));
  EXPECT_EQ(search(1'000, 1'000, 999), std::pair(std::uint64_t{0}, 2));
  EXPECT_EQ(search(1'000, 1'001, 1'000), std::pair(std::uint64_t{1'000}, 2));
}

}  // namespace
}  // namespace turnpike::load
