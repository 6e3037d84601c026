// SPDX-License-Identifier: BSD-3-Clause
// Sets up the workers on the main lcore: tables, rings between them, queues, published blocks.
#include "dataplane/worker_set.hpp"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_random.h>
#include <unistd.h>

#include "dataplane/worker.hpp"

namespace turnpike::dataplane {
namespace {

constexpr unsigned kHandoffRing = 1024;

Result<rte_ring*> make_ring(const std::string& name) {
  rte_ring* ring = rte_ring_create(name.c_str(), kHandoffRing, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  if (ring == nullptr)
    return Error{"ring between workers: " + std::string(rte_strerror(rte_errno)) + "; raise memory"};
  return ring;
}

// The NUMA node of a worker's lcore, where its tables belong.
int node_of(const WorkerSetConfig& config, WorkerIndex index) {
  return index < config.lcores.size() ? static_cast<int>(rte_lcore_to_socket_id(config.lcores[index]))
                                      : SOCKET_ID_ANY;
}

}  // namespace

std::unique_ptr<Lcore::Sources> make_sources(const wire::SourceRates& rates, std::uint64_t seed, int node) {
  constexpr std::size_t kSets = 1U << 14;  // 65536 sources in 1 MiB
  return std::make_unique<Lcore::Sources>(
      rates, seed, make_huge<wire::SourceBuckets::Set>(Lcore::Sources::sets(rates, kSets), node));
}

Status prepare_worker(Worker& worker, WorkerIndex index, const WorkerSetConfig& config, PortOwners& owners) {
  Lcore& lcore = worker.lcore;
  const shm::Capacity& capacity = config.region->capacity();
  auto tables = Tables::create(capacity, node_of(config, index));
  if (!tables) return Error{tables.error()};
  auto reassembly = Reassembly::create(index, SOCKET_ID_ANY);
  if (!reassembly) return Error{reassembly.error()};
  lcore.index = index;
  lcore.workers = static_cast<WorkerIndex>(capacity.workers);
  lcore.region = config.region;
  lcore.clock = config.clock;
  lcore.ports = config.ports;
  lcore.mbufs = config.mbufs;
  lcore.secure_stun = config.secure_stun;
  lcore.kernel_sockets = config.kernel_sockets;
  lcore.locals.set_kernel_sockets(config.kernel_sockets);
  lcore.wake_main = config.wake_main;
  if (index < config.wake_control.size()) lcore.wake_control = config.wake_control[index];
  lcore.tables = std::move(*tables);
  lcore.reassembly = std::move(*reassembly);
  const wire::SourceRates limits{config.limits.per_source,
                                 (config.limits.of_all + lcore.workers - 1) / lcore.workers};
  lcore.sources = make_sources(limits, rte_rand(), node_of(config, index));
  lcore.denied_clients = config.denied_clients;
  lcore.port_owners = &owners;
  lcore.transmit.resize(config.ports.size());
  for (std::size_t i = 0; i < config.ports.size(); ++i)
    lcore.transmit[i].own = index < config.ports[i]->tx_queues;
  lcore.to_worker.resize(capacity.workers);
  lcore.from_worker.resize(capacity.workers);
  lcore.random = rte_rand() | 1;
  lcore.identification = static_cast<std::uint32_t>(rte_rand());
  lcore.message = std::make_unique<shm::Message>();
  lcore.commands = shm::Consumer(config.region->command_ring(index));
  lcore.events = shm::Producer(config.region->event_ring(index));
  lcore.published = &config.region->worker(index);
  lcore.allocation_counters = &config.region->allocation(index, 0);
  lcore.errors = shm::DistinctErrors(&lcore.published->errors);
  const Port::WorkerContext context{lcore.published, config.mbufs, 2 * capacity.allocations,
                                    config.wake_workers};
  for (const auto& port : config.ports) {
    if (auto prepared = port->prepare_queue(index, context); !prepared) return Error{prepared.error()};
    for (std::uint16_t queue = index; queue < port->rx_queues; queue += capacity.workers) {
      worker.receive_queues.emplace_back(port.get(), queue);
      if (queue == 0) worker.host_ports.push_back(port.get());
    }
  }
  return Unit{};
}

Result<std::unique_ptr<WorkerSet>> WorkerSet::create(const WorkerSetConfig& config) {
  std::unique_ptr<WorkerSet> set(new WorkerSet());
  set->wake_workers_ = config.wake_workers;
  if (!set->port_owners_.ready()) return Error{"owners of relay ports: out of memory"};
  const std::uint32_t workers = config.region->capacity().workers;
  for (std::uint32_t i = 0; i < workers; ++i) {
    set->workers_.push_back(std::make_unique<Worker>(config.poll));
    const Status status =
        prepare_worker(*set->workers_.back(), static_cast<WorkerIndex>(i), config, set->port_owners_);
    if (!status) return Error{status.error()};
  }
  for (std::uint32_t from = 0; from < workers; ++from) {
    for (std::uint32_t to = 0; to < workers; ++to) {
      if (from == to) continue;
      const std::string name = std::to_string(from) + "to" + std::to_string(to);
      auto receive = make_ring("receive" + name);
      auto transmit = make_ring("transmit" + name);
      if (!receive) return Error{receive.error()};
      if (!transmit) return Error{transmit.error()};
      set->rings_.push_back(*receive);
      set->rings_.push_back(*transmit);
      set->workers_[from]->lcore.to_worker[to] = {*receive, *transmit};
      set->workers_[to]->lcore.from_worker[from] = {*receive, *transmit};
    }
  }
  return set;
}

WorkerSet::~WorkerSet() {
  for (rte_ring* ring : rings_) rte_ring_free(ring);
}

void WorkerSet::run(WorkerIndex index) noexcept { workers_[index]->run(); }

// Ends their sleep, whoever it is.
void WorkerSet::wake_sleepers() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_workers_, &one, sizeof one);
}

void WorkerSet::request_stop() noexcept {
  for (auto& worker : workers_) worker->lcore.stop.store(true, std::memory_order_relaxed);
  wake_sleepers();
}

void WorkerSet::set_control_attached(bool attached) noexcept {
  for (auto& worker : workers_) worker->lcore.control_attached.store(attached, std::memory_order_relaxed);
}

}  // namespace turnpike::dataplane
