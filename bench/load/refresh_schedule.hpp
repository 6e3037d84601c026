// SPDX-License-Identifier: BSD-3-Clause
// Whose allocation has to be refreshed next: everyone's, one interval after it was set up or refreshed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace turnpike::load {

class RefreshSchedule {
public:
  using Clock = std::chrono::steady_clock;

  RefreshSchedule(std::size_t clients, Clock::duration every) : every_(every), due_at_(clients) {}

  // From now on not later than so long after the last refresh.
  void shorten(Clock::duration every) { every_ = std::min(every_, every); }
  // The client has an allocation that is as good as new.
  void renew(std::uint32_t client, Clock::time_point now) {
    due_at_[client] = now + every_;
    queue_.push_back({due_at_[client], client});
  }
  void end(std::uint32_t client) { due_at_[client] = {}; }
  // A client whose time has come; each is told once.
  std::optional<std::uint32_t> due(Clock::time_point now) {
    while (!queue_.empty() && queue_.front().at <= now) {
      const Entry entry = queue_.front();
      queue_.pop_front();
      if (due_at_[entry.client] != entry.at) continue;  // it has ended, or was renewed since
      end(entry.client);
      return entry.client;
    }
    return std::nullopt;
  }

private:
  struct Entry {
    Clock::time_point at;
    std::uint32_t client = 0;
  };

  Clock::duration every_;
  std::deque<Entry> queue_;                // in order of time, or nearly so after shorten()
  std::vector<Clock::time_point> due_at_;  // of the clients; zero: never
};

}  // namespace turnpike::load
