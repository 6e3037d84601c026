// SPDX-License-Identifier: BSD-3-Clause
// The command rings of one thread of control, each with a backlog for what does not fit at the moment. One
// for every worker, and the last one for the dataplane's main lcore.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "common/base/worker_share.hpp"
#include "common/shm/region.hpp"

namespace turnpike::control {

class CommandQueues {
public:
  // A backlog this long stops the reading of that worker's requests, so it cannot grow by them.
  static constexpr std::size_t kCongested = 4096;
  // Answers beyond this are dropped and counted: clients repeat requests.
  static constexpr std::size_t kMaxWithDatagrams = 8192;

  // Only the workers of `share` are written to, and by the first part the main lcore.
  CommandQueues(const shm::Region& region, int wake_main, int wake_workers, const WorkerShare& share = {});

  // The dataplane is gone: until the next connect() everything is taken and forgotten.
  void disconnect();
  // The region has become another one, of the same capacity.
  void connect(int wake_main, int wake_workers);
  bool connected() const { return connected_; }

  // Those that may be written to, by the region's numbers.
  const std::vector<WorkerIndex>& rings() const { return rings_; }
  const std::vector<WorkerIndex>& workers() const { return workers_; }  // the same without the main lcore
  WorkerIndex main() const { return static_cast<WorkerIndex>(queues_.size() - 1); }

  // Never lost: what the ring does not take waits in order. `queue` is one of rings().
  void push(WorkerIndex queue, shm::Command kind, std::uint64_t seq, Bytes body);
  template <shm::Body T>
  void push(WorkerIndex queue, shm::Command kind, std::uint64_t seq, const T& body) {
    push(queue, kind, seq, Bytes(reinterpret_cast<const std::uint8_t*>(&body), sizeof body));
  }
  template <shm::Body T>
  void push_to_workers(shm::Command kind, const T& body) {
    for (const WorkerIndex worker : workers_) push(worker, kind, 0, body);
  }
  // False: dropped and counted.
  bool push_datagram(WorkerIndex queue, const shm::SendDatagram& datagram, Bytes payload);

  // Media of a client that control serves. False: the ring is full; dropped and counted.
  bool push_media(WorkerIndex queue, const shm::SendToPeer& head, Bytes payload);

  // Wakes whoever sleeps and has been given something since the last call. Once per pass: a wake-up costs a
  // system call, and what follows within the pass needs no other.
  void signal();

  // Moves backlogs into rings as far as they have room. True when nothing is left waiting.
  bool flush();
  // The consumers have taken everything out of the rings.
  bool drained() const;

  bool congested(WorkerIndex queue) const { return queues_[queue].backlog.size() >= kCongested; }
  std::size_t backlog(WorkerIndex queue) const { return queues_[queue].backlog.size(); }
  std::uint32_t ring_used(WorkerIndex queue) const;
  std::uint64_t dropped_datagrams() const { return dropped_datagrams_; }
  std::uint64_t dropped_media() const { return dropped_media_; }

private:
  struct Waiting {
    shm::Command kind;
    std::uint64_t seq;
    std::vector<std::uint8_t> body;
  };
  struct Queue {
    shm::Producer ring;
    std::deque<Waiting> backlog;
    bool unsignalled = false;
  };

  bool put(WorkerIndex queue, shm::Command kind, std::uint64_t seq, Bytes first, Bytes second);
  void wake(WorkerIndex queue);

  std::vector<Queue> queues_;  // by ring, also those of others
  std::vector<WorkerIndex> rings_;
  std::vector<WorkerIndex> workers_;
  std::uint32_t cell_count_;
  const shm::Region& region_;
  int wake_main_ = -1;
  int wake_workers_ = -1;
  bool connected_ = true;
  std::uint64_t dropped_datagrams_ = 0;
  std::uint64_t dropped_media_ = 0;
};

}  // namespace turnpike::control
