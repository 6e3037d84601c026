// SPDX-License-Identifier: BSD-3-Clause
// Sessions that live for a random time, end, and make room for new ones, while the others go on.
#pragma once

#include <chrono>
#include <random>
#include <vector>

#include "bench/load/sockets/media_run.hpp"
#include "bench/load/sockets/scene.hpp"

namespace turnpike::load {

struct ChurnCounts {
  std::uint64_t begun = 0;   // allocations made, with their channels or permissions
  std::uint64_t ended = 0;   // deleted when their time was over
  std::uint64_t failed = 0;  // which could not begin; tried again a second later
};

class Churn {
public:
  Churn(Scene& scene, MediaRun& run);

  // Often called; everything that is due.
  void step();
  const ChurnCounts& counts() const { return counts_; }
  // The first error of this machine, which ends the run.
  const std::string& error() const { return error_; }

private:
  using Clock = std::chrono::steady_clock;
  enum class State : std::uint8_t { kIdle, kBeginning, kLive, kLingering, kEnding };
  struct Life {
    State state = State::kIdle;
    Clock::time_point until;     // of idle, live and lingering ones
    std::uint32_t sessions = 0;  // that this place has had
  };

  void step_one(std::uint32_t client, Clock::time_point now);
  void begin(std::uint32_t client);
  void begun(std::uint32_t client, Clock::time_point now);
  bool all_arrived(std::uint32_t client);
  void become(std::uint32_t client, State state, Clock::time_point until);
  void tell_sender();
  void take(const Status& status);
  Clock::duration random_life();

  Scene& scene_;
  MediaRun& run_;
  std::vector<Life> lives_;  // of the clients
  std::mt19937_64 random_;
  ChurnCounts counts_;
  std::string error_;
  Clock::time_point next_look_;
  bool changed_ = false;
};

}  // namespace turnpike::load
