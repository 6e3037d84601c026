// SPDX-License-Identifier: BSD-3-Clause
// Emptying a relay before it is stopped: nobody new comes in, and when few enough are left, or their time is
// over, the program ends (docs/drain.md). Belongs to the first shard's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/time.hpp"

namespace turnpike::control {

struct DrainLimits {
  std::uint64_t min_allocations = 0;  // it is over when no more are left
  seconds deadline{};                 // or after this time; 0: never
};

struct DrainOrder {
  std::uint64_t min_allocations = 0;
  std::optional<Time> ends;  // nothing: never
};

class Drain {
public:
  // What it does with the relay.
  struct Relay {
    std::function<std::size_t()> allocations;  // of all shards
    std::function<void(bool draining)> set_draining;
    // What the next control goes on with (resume()); nothing: it need not drain.
    std::function<void(const std::optional<DrainOrder>& order)> keep;
    std::function<void()> end;
  };
  Drain(boost::asio::io_context& io, Relay relay);

  // SIGUSR1 begins it, with the limits that hold at that moment; a second one changes nothing.
  void watch_signal(std::function<DrainLimits()> limits);
  // Once more: other limits, and the deadline counts anew.
  void start(const DrainLimits& limits, Time now);
  // What a former control had begun.
  void resume(const DrainOrder& order);
  // Everything is as before. Nothing happens when it was not on.
  void undo();

  // What `turnpikectl status` shows.
  struct State {
    std::size_t allocations = 0;
    std::uint64_t min_allocations = 0;
    std::optional<Time> left;  // until the deadline
  };
  std::optional<State> state(Time now) const;  // nothing: it is not on
  // The program ends because of it.
  bool is_over() const { return over_; }

  // Looks whether it is over; by itself four times a second. Few enough must have been left twice in a row,
  // so that the last client's answer is on its way.
  void check(Time now);

private:
  void begin(const DrainOrder& order);
  void schedule();
  bool has_passed_deadline(Time now) const { return order_->ends && now >= *order_->ends; }

  Relay relay_;
  boost::asio::signal_set signal_;
  boost::asio::steady_timer timer_;
  std::optional<DrainOrder> order_;  // nothing: it is not on
  bool was_empty_ = false;
  bool over_ = false;
};

}  // namespace turnpike::control
