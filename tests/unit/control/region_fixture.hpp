// SPDX-License-Identifier: BSD-3-Clause
// A region in this process, both ends of its rings at hand.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "common/shm/region.hpp"

namespace turnpike::test {

struct Command {
  shm::Command kind{};
  std::uint64_t seq = 0;
  std::vector<std::uint8_t> body;

  template <typename T>
  T as() const {
    T value{};
    EXPECT_GE(body.size(), sizeof value);
    std::memcpy(&value, body.data(), std::min(body.size(), sizeof value));
    return value;
  }
};

class RegionTest : public ::testing::Test {
protected:
  static constexpr std::uint16_t kWorkers = 2;

  RegionTest() {
    shm::Capacity capacity;
    capacity.workers = kWorkers;
    capacity.allocations = 16;
    capacity.permissions = 32;
    capacity.channels = 32;
    capacity.command_cells = 1024;
    capacity.event_cells = 1024;
    auto created = shm::Region::create(capacity);
    if (!created) throw std::runtime_error(created.error());
    region = std::make_unique<shm::Region>(std::move(*created));
    for (WorkerIndex ring = 0; ring <= kWorkers; ++ring) {
      commands.emplace_back(region->command_ring(ring));
      events.emplace_back(region->event_ring(ring));
    }
  }

  // Everything that is in the ring.
  std::vector<Command> take(WorkerIndex ring) {
    std::vector<Command> taken;
    while (commands[ring].pop(*message) == shm::PopResult::kMessage) {
      const Bytes body = message->body();
      taken.push_back(
          {static_cast<shm::Command>(message->header.kind), message->header.seq, {body.begin(), body.end()}});
    }
    return taken;
  }

  std::unique_ptr<shm::Region> region;
  std::vector<shm::Consumer> commands;
  std::vector<shm::Producer> events;
  std::unique_ptr<shm::Message> message = std::make_unique<shm::Message>();
};

}  // namespace turnpike::test
