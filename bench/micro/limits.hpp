// SPDX-License-Identifier: BSD-3-Clause
// How many flows (or clients) a bench may make: what the user allows and what memory holds.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace turnpike::bench {

inline constexpr std::int64_t kMostFlows = 4 << 20;
// Of the largest size and all smaller ones together, in our tables and in those of the rivals.
inline constexpr std::uint64_t kBytesPerFlow = 640;
// The part of it that DPDK's heap holds: both rte_hash.
inline constexpr std::uint64_t kHeapPerFlow = 256;

// Before the benches run. 0: as many as half of the available memory holds.
void limit_flows(std::int64_t wanted);
std::int64_t flow_limit();

// Whether `flows` are within the limit; else the bench is marked as skipped, with the reason.
bool flows_fit(benchmark::State& state, std::int64_t flows);

}  // namespace turnpike::bench
