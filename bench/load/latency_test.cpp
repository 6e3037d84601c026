// SPDX-License-Identifier: BSD-3-Clause
// What is read from the histogram is what was put in, to three digits, over its whole range.
#include "bench/load/latency.hpp"

#include <gtest/gtest.h>

#include <random>

namespace turnpike::load {
namespace {

using Buckets = LatencyBuckets;

LatencySnapshot snapshot_of(const LatencyHistogram& histogram) {
  LatencySnapshot snapshot;
  snapshot.add(histogram);
  return snapshot;
}

TEST(Latency, BucketsFollowEachOtherWithoutGapOrOverlap) {
  EXPECT_EQ(Buckets::index_of(0), 0U);
  for (std::size_t i = 0; i + 1 < kLatencyBuckets; ++i) {
    ASSERT_EQ(Buckets::index_of(Buckets::highest_in(i)), i);
    ASSERT_EQ(Buckets::index_of(Buckets::highest_in(i) + 1), i + 1);
  }
  EXPECT_EQ(Buckets::highest_in(kLatencyBuckets - 1), Buckets::kMax);
}

TEST(Latency, ThreeDigitsHoldFromAMicrosecondToTenSeconds) {
  for (std::uint64_t ns = 1000; ns <= 10'000'000'000; ns += ns / 7) {
    const auto told = static_cast<double>(Buckets::highest_in(Buckets::index_of(ns)));
    EXPECT_GE(told, static_cast<double>(ns));
    EXPECT_LE(told, static_cast<double>(ns) * 1.001);
  }
}

TEST(Latency, QuantilesAreThoseOfTheSortedValues) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> distribution(11, 2);  // 60 us in the middle, with a long tail
  LatencyHistogram histogram;
  std::vector<double> values;
  for (int i = 0; i < 10'000; ++i) {
    const auto ns = static_cast<std::uint64_t>(distribution(random));
    values.push_back(static_cast<double>(ns));
    histogram.record(ns);
  }
  std::sort(values.begin(), values.end());
  const LatencySnapshot snapshot = snapshot_of(histogram);
  EXPECT_EQ(snapshot.count(), values.size());
  for (const auto& [per_mille, rank] :
       {std::pair(500U, 5000U), {900U, 9000U}, {990U, 9900U}, {999U, 9990U}, {1000U, 10'000U}}) {
    EXPECT_GE(static_cast<double>(snapshot.quantile(per_mille)), values[rank - 1]) << per_mille;
    EXPECT_LE(static_cast<double>(snapshot.quantile(per_mille)), values[rank - 1] * 1.001 + 1) << per_mille;
  }
}

TEST(Latency, WhatIsBeyondTheRangeCountsAsItsEnd) {
  LatencyHistogram histogram;
  histogram.record(Buckets::kMax + 1);
  histogram.record(~std::uint64_t{0});
  EXPECT_EQ(snapshot_of(histogram).quantile(500), Buckets::kMax);
  EXPECT_EQ(snapshot_of(histogram).count(), 2U);
}

TEST(Latency, ADifferenceHasOnlyWhatCameBetween) {
  LatencyHistogram histogram;
  histogram.record(5'000'000);
  const LatencySnapshot before = snapshot_of(histogram);
  histogram.record(40);
  histogram.record(700);
  LatencySnapshot between = snapshot_of(histogram);
  between.subtract(before);
  EXPECT_EQ(between.count(), 2U);
  EXPECT_EQ(between.quantile(500), 40U);
  EXPECT_EQ(between.quantile(1000), 700U);
  between.clear();
  EXPECT_EQ(between.count(), 0U);
  EXPECT_EQ(between.quantile(990), 0U);
}

}  // namespace
}  // namespace turnpike::load
