// SPDX-License-Identifier: BSD-3-Clause
// The measurement: media of all sessions in random order, both directions, out and in on one core.
#pragma once

#include <atomic>
#include <functional>

#include "bench/load/beside.hpp"
#include "bench/load/media.hpp"
#include "bench/load/port.hpp"
#include "bench/load/run_clock.hpp"
#include "bench/load/shared_counts.hpp"

namespace turnpike::load {

using PerDirection = std::array<std::uint64_t, kDirections>;

inline std::uint64_t total(const PerDirection& counts) { return counts[kToPeer] + counts[kToClient]; }

// Counts at one moment.
struct Sample {
  std::uint64_t cycles = 0;  // of running, since the start
  std::uint64_t idle = 0;    // cycles of passes in which nothing moved
  PerDirection sent{};
  PerDirection received{};
  PerDirection given_up{};  // not under way any more
};

class Traffic {
public:
  using EachSecond = std::function<void(const Sample& before, const Sample& now)>;

  static Result<std::unique_ptr<Traffic>> make(Port& port, const Options& options, Outbox& outbox,
                                               Inspector& inspector, Beside& beside);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // At so many packets per second, 0 being as many as go through, until the time is over, `stop` or the other
  // side's end. False after the latter. May be run again: counts go on, time begins anew.
  bool run(std::uint64_t rate, const std::atomic<bool>& stop, const EachSecond& each_second);
  // The part after the warm-up.
  const Sample& begin() const { return begin_; }
  const Sample& end() const { return end_; }
  // All of it, after the last packets came in.
  const Sample& all() const { return now_; }
  // Of what was verified after the warm-up.
  const LatencySnapshots& latencies() const { return latencies_; }

private:
  static constexpr std::size_t kMaxBurst = 64;

  Traffic(Port& port, const Options& options, Outbox& outbox, Inspector& inspector, Beside& beside);
  bool phase(std::uint64_t until, const std::atomic<bool>& stop, const EachSecond& each_second);
  void drain();
  std::uint16_t receive();
  void judge(std::span<rte_mbuf*> frames);
  std::uint16_t transmit() noexcept;
  std::uint64_t due() noexcept;
  void make_burst(std::uint16_t size) noexcept;
  std::uint16_t make_frames(Direction direction, std::uint16_t size) noexcept;
  void choose(Direction direction, std::uint16_t count) noexcept;
  std::uint64_t room(Direction direction) const noexcept;
  void give_up_lost() noexcept;
  std::uint32_t random_session() noexcept;

  // One direction's packets.
  struct Lane {
    rte_mempool* frames = nullptr;
    std::array<std::uint32_t, kMaxBurst> next{};  // sessions of the next ones, on their way into the cache
    std::array<rte_mbuf*, kMaxBurst> made{};
  };

  Port& port_;
  const Options& options_;
  Outbox& outbox_;
  Inspector& inspector_;
  Beside& beside_;
  std::uint64_t next_tick_ = 0;
  SharedCounts shared_;
  RunClock clock_;
  std::uint64_t rate_ = 0;
  std::uint64_t last_arrival_ = 0;
  std::uint64_t bursts_ = 0;
  std::uint64_t made_ = 0;  // or given up, because it was too late
  std::uint64_t random_ = 0x9E3779B97F4A7C15ULL;
  std::array<Lane, kDirections> lanes_;
  std::array<rte_mbuf*, kMaxBurst> burst_{};
  std::array<Direction, kMaxBurst> burst_direction_{};
  std::uint16_t burst_at_ = 0;  // first one that has not left
  std::uint16_t burst_end_ = 0;
  Sample now_;
  Sample begin_;
  Sample end_;
  LatencySnapshots latencies_;
};

}  // namespace turnpike::load
