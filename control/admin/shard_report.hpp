// SPDX-License-Identifier: BSD-3-Clause
// What each thread of control says of itself for `turnpikectl status`, and the sum of it.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "control/runtime/shard.hpp"

namespace turnpike::control {

using Json = nlohmann::ordered_json;

struct ShardReport {
  std::size_t sessions = 0;
  double busy = 0;
  Json server;
  Json link;
  Json clients;
  Json users;
  struct Ring {
    WorkerIndex index;
    std::uint32_t commands;
    std::size_t backlog;
  };
  std::vector<Ring> rings;
};

using Shards = std::span<const std::unique_ptr<Shard>>;

// Each is asked on its own thread; the first one's is the caller's.
std::vector<ShardReport> ask_shards(Shards shards);
// One part of all reports, numbers added up; of anything else the first one's counts.
Json sum_of(const std::vector<ShardReport>& shards, Json ShardReport::*part);

}  // namespace turnpike::control
