// SPDX-License-Identifier: BSD-3-Clause
// When to begin, and when it is over.
#include "control/runtime/drain.hpp"

#include <signal.h>

#include <chrono>

#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

constexpr auto kCheckInterval = std::chrono::milliseconds(250);

}  // namespace

Drain::Drain(boost::asio::io_context& io, Relay relay) : relay_(std::move(relay)), signal_(io), timer_(io) {}

void Drain::watch_signal(std::function<DrainLimits()> limits) {
  boost::system::error_code ignored;
  signal_.add(SIGUSR1, ignored);
  signal_.async_wait([this, limits = std::move(limits)](boost::system::error_code error, int) mutable {
    if (error) return;
    if (order_) {
      spdlog::info("SIGUSR1: draining already; turnpikectl undrain ends it");
    } else {
      start(limits(), monotonic_now());
    }
    watch_signal(std::move(limits));
  });
}

void Drain::start(const DrainLimits& limits, Time now) {
  const bool has_deadline = limits.deadline > seconds{};
  begin({limits.min_allocations, has_deadline ? std::optional(now + limits.deadline) : std::nullopt});
  relay_.keep(order_);
  spdlog::info("draining: nobody new, {} allocation(s) left; ends when {} or fewer are left{}",
               relay_.allocations(), limits.min_allocations,
               has_deadline ? ", or in " + std::to_string(limits.deadline.count()) + " s" : "");
}

void Drain::resume(const DrainOrder& order) {
  begin(order);
  spdlog::info("draining goes on, with {} allocation(s); ends when {} or fewer are left{}",
               relay_.allocations(), order.min_allocations, order.ends ? ", or when its time is over" : "");
}

void Drain::begin(const DrainOrder& order) {
  const bool was_on = order_.has_value();
  order_ = order;
  was_empty_ = false;
  relay_.set_draining(true);
  if (!was_on) schedule();
}

void Drain::undo() {
  if (!order_) return;
  order_.reset();
  timer_.cancel();
  relay_.keep(order_);
  relay_.set_draining(false);
  spdlog::info("draining no more, with {} allocation(s)", relay_.allocations());
}

std::optional<Drain::State> Drain::state(Time now) const {
  if (!order_) return std::nullopt;
  State state{relay_.allocations(), order_->min_allocations, std::nullopt};
  if (order_->ends) state.left = std::max(*order_->ends - now, Time{});
  return state;
}

void Drain::check(Time now) {
  if (!order_ || over_) return;
  const std::size_t left = relay_.allocations();
  const bool is_empty = left <= order_->min_allocations;
  if (is_empty && was_empty_) {
    spdlog::info("drained; {} allocation(s) left", left);
  } else if (has_passed_deadline(now)) {
    spdlog::warn("the time to drain is over; {} allocation(s) left", left);
  } else {
    was_empty_ = is_empty;
    return;
  }
  over_ = true;
  relay_.keep(std::nullopt);
  relay_.end();
}

void Drain::schedule() {
  timer_.expires_after(kCheckInterval);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    check(monotonic_now());
    if (order_ && !over_) schedule();
  });
}

}  // namespace turnpike::control
