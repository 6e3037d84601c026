// SPDX-License-Identifier: BSD-3-Clause
// What main needs of the workers: set up on the main lcore, run on worker lcores, stop.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/shm/region.hpp"
#include "common/wire/address_filter.hpp"
#include "common/wire/source_limiter.hpp"
#include "dataplane/clock.hpp"
#include "dataplane/port/port.hpp"
#include "dataplane/port_owners.hpp"

namespace turnpike::dataplane {

enum class PollMode : std::uint8_t { kAdaptive, kAlways };

struct WorkerSetConfig {
  const shm::Region* region =
      nullptr;  // outlives the workers; capacity says how many workers and table slots
  std::span<const std::unique_ptr<Port>> ports;
  std::span<const unsigned> lcores;                   // of the workers; empty in tests
  rte_mempool* mbufs = nullptr;                       // for answers, fragments, control's datagrams
  std::atomic<std::uint32_t>* main_asleep = nullptr;  // in the region header
  int wake_main = -1;  // eventfd, written when a worker put a frame into a sleeping main's queue
  bool kernel_sockets = false;
  int wake_workers = -1;  // eventfd, written when a worker that sleeps in epoll has something to do
  // Eventfds by worker, written when an event was pushed whose taker in control sleeps; empty in tests.
  std::vector<int> wake_control;
  const Clock* clock = nullptr;  // anchored by main about once a second
  PollMode poll = PollMode::kAdaptive;
  bool secure_stun = false;  // Binding is not answered here
  wire::SourceRates limits;
  wire::AddressFilter denied_clients;
};

class Worker;

class WorkerSet {
public:
  // Allocates tables and rings; logs nothing. The error names the option that asks for too much.
  static Result<std::unique_ptr<WorkerSet>> create(const WorkerSetConfig& config);
  ~WorkerSet();

  // Body of worker lcore `index`: returns after request_stop(). Call through rte_eal_remote_launch.
  void run(WorkerIndex index) noexcept;
  void request_stop() noexcept;

  // For tests that turn the loops by hand.
  Worker& worker(WorkerIndex index) noexcept { return *workers_[index]; }

  // Main lcore tells the workers that control came or went: requests are only punted while one is attached.
  void set_control_attached(bool attached) noexcept;

private:
  WorkerSet() = default;
  void wake_sleepers() noexcept;
  PortOwners port_owners_;
  int wake_workers_ = -1;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<rte_ring*> rings_;  // between workers
};

}  // namespace turnpike::dataplane
