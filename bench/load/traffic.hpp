// SPDX-License-Identifier: BSD-3-Clause
// The measurement: media of all sessions in random order, both directions, out and in on one core.
#pragma once

#include <atomic>
#include <functional>

#include "bench/load/media.hpp"
#include "bench/load/memif.hpp"

namespace turnpike::load {

using PerDirection = std::array<std::uint64_t, kDirections>;

inline std::uint64_t total(const PerDirection& counts) { return counts[kToPeer] + counts[kToClient]; }

// Counts at one moment.
struct Sample {
  std::uint64_t cycles = 0;  // since the start
  std::uint64_t idle = 0;    // cycles of passes in which nothing moved
  PerDirection sent{};
  PerDirection received{};
};

class Traffic {
public:
  using EachSecond = std::function<void(const Sample& before, const Sample& now)>;

  Traffic(MemifPort& port, const Options& options, Outbox& outbox, Inspector& inspector);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Until the time is over, `stop` or the other side's end. False after the latter.
  bool run(const std::atomic<bool>& stop, const EachSecond& each_second);
  // The part after the warm-up.
  const Sample& begin() const { return begin_; }
  const Sample& end() const { return end_; }
  // All of it, after the last packets came in.
  const Sample& all() const { return now_; }
  // Of what was verified after the warm-up.
  const LatencySnapshots& latencies() const { return latencies_; }

private:
  bool phase(std::uint64_t until, const std::atomic<bool>& stop, const EachSecond& each_second);
  void drain();
  std::uint16_t receive() noexcept;
  std::uint16_t transmit() noexcept;
  void make_burst(std::uint16_t size) noexcept;
  std::uint16_t room(Direction direction) const noexcept;
  void give_up_lost() noexcept;
  std::uint32_t random_session() noexcept;
  std::uint64_t now_ns() const noexcept;

  MemifPort& port_;
  const Options& options_;
  Outbox& outbox_;
  Inspector& inspector_;
  std::uint64_t hz_;
  double ns_per_cycle_;
  std::uint64_t start_ = 0;
  std::uint64_t last_arrival_ = 0;
  std::uint64_t bursts_ = 0;
  std::uint64_t made_ = 0;
  std::uint64_t random_ = 0x9E3779B97F4A7C15ULL;
  PerDirection presumed_lost_{};  // no longer under way
  std::array<rte_mbuf*, 64> burst_{};
  std::array<Direction, 64> burst_direction_{};
  std::uint16_t burst_at_ = 0;  // first one that has not left
  std::uint16_t burst_end_ = 0;
  Sample now_;
  Sample begin_;
  Sample end_;
  LatencySnapshots latencies_;
};

}  // namespace turnpike::load
