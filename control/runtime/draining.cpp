// SPDX-License-Identifier: BSD-3-Clause
// What draining means to the shards, and what becomes of the sessions in the end.
#include <thread>

#include "control/log/log.hpp"
#include "control/runtime/app.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

constexpr auto kGoodbyeTime = std::chrono::seconds(2);

}  // namespace

Drain::Relay App::drained_relay() {
  return {[this] { return commons_->allocation_count(); },
          [this](bool draining) {
            for (const auto& shard : shards_) shard->ask([&] { shard->engine().set_draining(draining); });
          },
          [this](const std::optional<DrainOrder>& order) { keep_drain(order); }, [this] { first().stop(); }};
}

void App::keep_drain(const std::optional<DrainOrder>& order) {
  if (!order) return ledger_.put_drain({});
  const Time ends = order->ends.value_or(Time{});
  ledger_.put_drain(
      {shm::RecordPhase::kLive, 0, order->min_allocations, static_cast<std::uint64_t>(ends.count())});
}

void App::resume_drain() {
  const auto kept = ledger_.drain();
  if (!kept) return;
  const Time ends = time_of(kept->ends_at_ns);
  drain_.resume({kept->min_allocations, ends > Time{} ? std::optional(ends) : std::nullopt});
}

// The shards have ended. Unless the next control is to go on with the sessions, the workers hear of their
// end: it may never come.
void App::end_sessions() {
  const bool stay = has_dataplane_ && !for_good_ && failure_.empty() && !drain_.is_over();
  std::size_t sessions = 0;
  for (const auto& shard : shards_) {
    Engine& engine = shard->engine();
    sessions += stay ? engine.server().allocation_count() : engine.end_all(reason_of_end());
  }
  if (stay) {
    spdlog::info("stopped; {} session(s) stay in the dataplane for the next turnpike-control", sessions);
  } else if (drain_.is_over() && sessions != 0) {
    spdlog::warn("ended {} allocation(s) that were left", sessions);
  } else {
    spdlog::info("stopped with {} session(s), which end", sessions);
  }
  const auto deadline = std::chrono::steady_clock::now() + kGoodbyeTime;
  const auto taken = [](const auto& shard) { return shard->engine().queues().drained(); };
  while (!std::all_of(shards_.begin(), shards_.end(), taken) && std::chrono::steady_clock::now() < deadline) {
    for (const auto& shard : shards_) shard->engine().flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (const auto& shard : shards_) shard->close();
}

turn::EndReason App::reason_of_end() const {
  if (drain_.is_over()) return turn::EndReason::kDrained;
  return has_dataplane_ ? turn::EndReason::kShutdown : turn::EndReason::kDataplaneLost;
}

}  // namespace turnpike::control
