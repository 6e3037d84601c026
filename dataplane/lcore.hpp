// SPDX-License-Identifier: BSD-3-Clause
// Everything that one worker owns. Nothing here is shared with another worker except the rings between
// workers and the port owners.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/shm/region.hpp"
#include "common/wire/address_filter.hpp"
#include "common/wire/source_limiter.hpp"
#include "dataplane/batch.hpp"
#include "dataplane/clock.hpp"
#include "dataplane/huge_memory.hpp"
#include "dataplane/next_hops.hpp"
#include "dataplane/port/port.hpp"
#include "dataplane/port_owners.hpp"
#include "dataplane/reassembly.hpp"
#include "dataplane/stage_clock.hpp"
#include "dataplane/tables.hpp"

namespace turnpike::dataplane {

// Frames on their way out of one port: a burst's output leaves together.
struct TransmitQueue {
  bool own = true;  // constant after start; false: this worker has no transmit queue of the port
  std::uint16_t count = 0;
  std::array<rte_mbuf*, 2 * kBurst> frames;
};

// Single-producer single-consumer rings between two workers, one pair per direction.
struct HandoffRings {
  rte_ring* receive = nullptr;   // frames that the other worker has to relay
  rte_ring* transmit = nullptr;  // finished frames for a port whose queue the other worker owns
};

struct alignas(kIsolation) Lcore {
  // Configuration, constant after start.
  WorkerIndex index = 0;
  WorkerIndex workers = 1;
  const shm::Region* region = nullptr;
  const Clock* clock = nullptr;
  std::span<const std::unique_ptr<Port>> ports;
  rte_mempool* mbufs = nullptr;
  bool secure_stun = false;  // Binding requests go to control too
  wire::AddressFilter denied_clients;
  // Ports are kernel sockets, all of them: the kernel steers clients to workers, makes and checks UDP
  // checksums, and loops back what we send to ourselves.
  bool kernel_sockets = false;
  int wake_main = -1;
  int wake_control = -1;                  // of this worker's events
  PortOwners* port_owners = nullptr;      // shared by all workers
  std::vector<HandoffRings> to_worker;    // [other]
  std::vector<HandoffRings> from_worker;  // [other]

  // Written by the main lcore, read here once per pass.
  std::atomic<bool> stop{false};
  std::atomic<bool> control_attached{false};

  // Owned tables: the inbox writes, the stages read.
  std::unique_ptr<Tables> tables;
  LocalAddresses locals;
  NextHops next_hops;
  shm::Challenge challenge;  // realm_size proved by the inbox
  using Sources = wire::SourceLimiter<HugeVector<wire::SourceBuckets::Set>>;
  std::unique_ptr<Sources> sources;  // of requests that have proved nothing

  // Burst scratch.
  std::uint64_t now_ns = 0;
  Tick now = 0;
  StageClock stage_clock;
  Batch batch;
  std::uint16_t hairpin_count = 0;
  std::array<rte_mbuf*, 2 * kBurst> hairpins;
  std::uint16_t free_count = 0;
  std::array<rte_mbuf*, 4 * kBurst> frees;
  std::vector<TransmitQueue> transmit;  // [port]
  std::uint64_t random = 0;             // transaction identifiers of indications only have to look random
  std::uint32_t identification = 0;     // of the IP packets that we send
  std::uint32_t icmp_tokens = 0;        // ICMP errors that we may still send in this tick
  Tick icmp_refill = 0;
  std::unique_ptr<Reassembly> reassembly;

  // Towards control.
  shm::Consumer commands;
  shm::Producer events;
  std::unique_ptr<shm::Message> message;
  bool events_pushed = false;  // since the last look whether control sleeps
  bool host_pushed = false;    // likewise for the main lcore
  std::uint64_t applied_seq = 0;
  std::uint64_t refused_seq = 0;  // the last fact that was refused

  // Published; this worker writes, control reads.
  shm::WorkerBlock* published = nullptr;
  shm::AllocationCounters* allocation_counters = nullptr;  // by allocation
  shm::DistinctErrors errors;

  void count(shm::Counter counter, std::uint64_t amount = 1) noexcept {
    shm::add_relaxed(published->counts.counters[static_cast<std::size_t>(counter)], amount);
  }
  void raise(shm::Counter level, std::uint64_t value) noexcept {
    shm::raise_relaxed(published->counts.counters[static_cast<std::size_t>(level)], value);
  }
  // Ends a packet: counted by reason, freed with the rest of the burst.
  void drop(rte_mbuf* mbuf, shm::DropReason reason) noexcept {
    count_drops(reason, 1);
    release(mbuf);
  }
  void count_drops(shm::DropReason reason, std::uint64_t amount) noexcept {
    shm::add_relaxed(published->counts.drops[static_cast<std::size_t>(reason)], amount);
  }
  void release(rte_mbuf* mbuf) noexcept {
    if (free_count == frees.size()) free_all();
    frees[free_count++] = mbuf;
  }
  void free_all() noexcept {
    rte_pktmbuf_free_bulk(frees.data(), free_count);
    free_count = 0;
  }
  std::uint64_t next_random() noexcept {  // xorshift64
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  }
};

}  // namespace turnpike::dataplane
