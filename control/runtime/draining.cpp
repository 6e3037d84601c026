// SPDX-License-Identifier: BSD-3-Clause
// What draining means to the shards.
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
          [this] { first().stop(); }};
}

// The shards have ended. The workers hear of it, so that nothing is relayed on: another control may never
// come.
void App::end_what_is_left() {
  std::size_t left = 0;
  for (const auto& shard : shards_) left += shard->engine().end_all(turn::EndReason::kDrained);
  if (left != 0) spdlog::warn("ended {} allocation(s) that were left", left);
  const auto deadline = std::chrono::steady_clock::now() + kGoodbyeTime;
  const auto taken = [](const auto& shard) { return shard->engine().queues().drained(); };
  while (!std::all_of(shards_.begin(), shards_.end(), taken) && std::chrono::steady_clock::now() < deadline) {
    for (const auto& shard : shards_) shard->engine().pass(monotonic_now());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace turnpike::control
