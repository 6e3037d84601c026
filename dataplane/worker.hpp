// SPDX-License-Identifier: BSD-3-Clause
// One worker: its lcore state and the loop over it.
#pragma once

#include <utility>
#include <vector>

#include "dataplane/lcore.hpp"
#include "dataplane/worker_set.hpp"

namespace turnpike::dataplane {

class Worker {
public:
  explicit Worker(PollMode poll) : poll_(poll) {}

  Lcore lcore;

  // The receive queues that this worker polls: (port, queue).
  std::vector<std::pair<Port*, std::uint16_t>> receive_queues;
  // Ports whose kernel side this worker serves: the owner of receive queue 0.
  std::vector<Port*> host_ports;

  void run() noexcept;
  // One turn of the loop; returns how much there was to do.
  std::uint32_t pass() noexcept;

private:
  std::uint32_t receive() noexcept;
  void note_loop_time(std::uint64_t before_ns) noexcept;
  void idle(std::uint32_t passes) noexcept;
  void doze() noexcept;
  void housekeeping() noexcept;

  PollMode poll_;
  Tick housekept_ = 0;  // when housekeeping was done last
};

// Gives worker `index` its tables, queues and published block; on the main lcore, before the worker runs.
// `owners` is shared by all workers of the set and outlives them.
Status prepare_worker(Worker& worker, WorkerIndex index, const WorkerSetConfig& config, PortOwners& owners);

// `node`: where their memory is; throws std::bad_alloc.
std::unique_ptr<Lcore::Sources> make_sources(const wire::SourceRates& rates, std::uint64_t seed, int node);

// Classifies and relays one burst, hairpins included. Used by the loop and by tests.
void process(Lcore& lcore, std::span<rte_mbuf*> frames) noexcept;

}  // namespace turnpike::dataplane
