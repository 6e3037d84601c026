// SPDX-License-Identifier: BSD-3-Clause
// Pushing commands, waking the main lcore, keeping order across a full ring.
#include "control/dataplane_link/command_queues.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace turnpike::control {

CommandQueues::CommandQueues(const shm::Region& region, int wake_main, int wake_workers,
                             const WorkerShare& share)
    : cell_count_(region.capacity().command_cells), region_(region) {
  queues_.resize(region.capacity().workers + 1);
  for (WorkerIndex i = 0; i < queues_.size(); ++i) {
    if (i == main() ? share.part != 0 : !share.has(i)) continue;
    rings_.push_back(i);
    if (i != main()) workers_.push_back(i);
  }
  connect(wake_main, wake_workers);
}

void CommandQueues::disconnect() {
  connected_ = false;
  for (const WorkerIndex i : rings_) queues_[i] = Queue{};
}

void CommandQueues::connect(int wake_main, int wake_workers) {
  wake_main_ = wake_main;
  wake_workers_ = wake_workers;
  for (const WorkerIndex i : rings_) {
    queues_[i] = Queue{};
    queues_[i].ring = shm::Producer(region_.command_ring(i));
  }
  connected_ = true;
}

void CommandQueues::push(WorkerIndex queue, shm::Command kind, std::uint64_t seq, Bytes body) {
  if (put(queue, kind, seq, body, {})) return;
  queues_[queue].backlog.push_back({kind, seq, {body.begin(), body.end()}});
}

bool CommandQueues::push_datagram(WorkerIndex queue, const shm::SendDatagram& datagram, Bytes payload) {
  const Bytes head(reinterpret_cast<const std::uint8_t*>(&datagram), sizeof datagram);
  if (put(queue, shm::Command::kSendDatagram, 0, head, payload)) return true;
  auto& backlog = queues_[queue].backlog;
  if (backlog.size() >= kMaxWithDatagrams) {
    ++dropped_datagrams_;
    return false;
  }
  Waiting waiting{shm::Command::kSendDatagram, 0, {head.begin(), head.end()}};
  waiting.body.insert(waiting.body.end(), payload.begin(), payload.end());
  backlog.push_back(std::move(waiting));
  return true;
}

bool CommandQueues::put(WorkerIndex queue, shm::Command kind, std::uint64_t seq, Bytes first, Bytes second) {
  if (!connected_) return true;
  Queue& target = queues_[queue];
  if (!target.backlog.empty()) return false;  // what waits came first
  if (!target.ring.push(static_cast<std::uint16_t>(kind), seq, first, second)) return false;
  target.unsignalled = true;
  return true;
}

bool CommandQueues::push_media(WorkerIndex queue, const shm::SendToPeer& head, Bytes payload) {
  const Bytes first(reinterpret_cast<const std::uint8_t*>(&head), sizeof head);
  if (put(queue, shm::Command::kSendToPeer, 0, first, payload)) return true;
  ++dropped_media_;
  return false;
}

void CommandQueues::signal() {
  for (const WorkerIndex i : rings_) {
    if (std::exchange(queues_[i].unsignalled, false)) wake(i);
  }
}

void CommandQueues::wake(WorkerIndex queue) {
  // The counterpart of the sleeper's fence: see RegionHeader.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  int fd = wake_workers_;
  if (queue == main()) {
    std::atomic<std::uint32_t>& asleep = region_.header().main_asleep;
    if (asleep.load(std::memory_order_relaxed) == 0 || asleep.exchange(0) == 0) return;
    fd = wake_main_;
  } else if (region_.worker(queue).asleep.load(std::memory_order_relaxed) == 0) {
    return;  // it looks at its ring by itself
  }
  const std::uint64_t one = 1;
  // A full eventfd counter wakes as well, so the result does not matter.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

bool CommandQueues::flush() {
  bool empty = true;
  for (const WorkerIndex i : rings_) {
    auto& backlog = queues_[i].backlog;
    while (!backlog.empty()) {
      const Waiting& next = backlog.front();
      if (!queues_[i].ring.push(static_cast<std::uint16_t>(next.kind), next.seq, next.body)) break;
      backlog.pop_front();
      queues_[i].unsignalled = true;
    }
    empty &= backlog.empty();
  }
  return empty;
}

bool CommandQueues::drained() const {
  if (!connected_) return true;
  return std::all_of(rings_.begin(), rings_.end(), [this](WorkerIndex ring) {
    return queues_[ring].backlog.empty() && queues_[ring].ring.used() == 0;
  });
}

std::uint32_t CommandQueues::ring_used(WorkerIndex queue) const {
  if (!connected_) return 0;
  // The consumer's index is the other process's word.
  return std::min(queues_[queue].ring.used(), cell_count_);
}

}  // namespace turnpike::control
