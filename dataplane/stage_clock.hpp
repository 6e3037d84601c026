// SPDX-License-Identifier: BSD-3-Clause
// What the stages cost, in TSC cycles, of one pass in kEvery: reading the counter around every stage of every
// pass would cost as much as a stage. `turnpikectl perf` shows it.
#pragma once

#include <rte_cycles.h>

#include <array>
#include <cstdint>

#include "common/shm/abi.hpp"

namespace turnpike::dataplane {

// In the order of the counters k_perf_*_cycles.
enum class Stage : std::uint8_t { kReceive, kClassify, kChannel, kPeer, kStun, kOther, kTransmit, kCount };

class StageClock {
public:
  static constexpr std::uint32_t kEvery = 64;

  void begin_pass() noexcept {
    on_ = ++passes_ % kEvery == 0;
    if (!on_) [[likely]]
      return;
    cycles_ = {};
    last_ = rte_rdtsc();
  }
  // What was done since the last call was this stage's.
  void took(Stage stage) noexcept {
    if (!on_) [[likely]]
      return;
    const std::uint64_t now = rte_rdtsc();
    cycles_[static_cast<std::size_t>(stage)] += now - last_;
    last_ = now;
  }
  // After a pass that had work: `packets` received.
  void publish(shm::WorkerCounters& counts, std::uint32_t packets) noexcept {
    if (!on_) [[likely]]
      return;
    const auto add = [&](shm::Counter counter, std::size_t offset, std::uint64_t amount) {
      shm::add_relaxed(counts.counters[static_cast<std::size_t>(counter) + offset], amount);
    };
    for (std::size_t i = 0; i < cycles_.size(); ++i) add(shm::Counter::k_perf_receive_cycles, i, cycles_[i]);
    add(shm::Counter::k_perf_passes, 0, 1);
    add(shm::Counter::k_perf_packets, 0, packets);
  }

private:
  bool on_ = false;
  std::uint32_t passes_ = 0;
  std::uint64_t last_ = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Stage::kCount)> cycles_{};
};
static_assert(static_cast<std::size_t>(shm::Counter::k_perf_transmit_cycles) -
                  static_cast<std::size_t>(shm::Counter::k_perf_receive_cycles) ==
              static_cast<std::size_t>(Stage::kTransmit));

}  // namespace turnpike::dataplane
