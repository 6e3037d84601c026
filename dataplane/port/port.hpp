// SPDX-License-Identifier: BSD-3-Clause
// A port as workers see it: bursts of frames in, bursts out, whatever is behind it.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstdint>
#include <span>
#include <string>

#include "common/base/result.hpp"
#include "common/shm/abi.hpp"

namespace turnpike::dataplane {

// Queues between the workers and the kernel side of a port (tap twin). Frames are whole Ethernet frames in
// mbufs. to_host: many workers produce, the main lcore consumes; from_host: the main lcore produces, the
// worker that owns the port's receive queue 0 consumes and transmits. Both null for ports whose netdev stays
// with the kernel (xdp).
struct HostQueues {
  rte_ring* to_host = nullptr;    // RING_F_SC_DEQ
  rte_ring* from_host = nullptr;  // RING_F_SP_ENQ | RING_F_SC_DEQ
};

class Port {
public:
  virtual ~Port() = default;

  // What a queue's worker lends the port, before it runs.
  struct WorkerContext {
    shm::WorkerBlock* block = nullptr;
    rte_mempool* mbufs = nullptr;
    std::uint32_t sockets = 0;  // relayed addresses at most
    int wake = -1;              // eventfd that ends a wait
  };
  virtual Status prepare_queue(std::uint16_t, const WorkerContext&) { return Unit{}; }
  // Up to burst.size() frames; returns how many. Each queue belongs to one worker. The frame starts at the
  // mbuf's data.
  virtual std::uint16_t rx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept = 0;
  // Returns how many were taken, from the front; the caller keeps (and frees) the rest.
  virtual std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept = 0;

  // Kernel sockets only: a relayed address comes and goes with its allocations. 0, or the errno that control
  // has to hear of.
  virtual int open_relay(std::uint16_t, const wire::Endpoint&) noexcept { return 0; }
  virtual void close_relay(std::uint16_t, const wire::Endpoint&) noexcept {}
  // Kernel sockets only: sleeps until something may be there, the eventfd was written or the time is over.
  virtual void wait(std::uint16_t, int /*timeout_ms*/) noexcept {}
  // What went wrong since the last question and an operator should know; null: nothing.
  virtual const char* complaint(std::uint16_t) noexcept { return nullptr; }
  // Received and not yet taken: no reason to wait.
  virtual bool has_more(std::uint16_t) const noexcept { return false; }

  // Constant after start; the port record in shared memory says the same to control.
  std::string name;  // as given to --port
  shm::PortKind kind = shm::PortKind::kNone;
  std::uint16_t index = 0;  // in the region's port records and in NextHop::port
  std::uint16_t rx_queues = 1;
  std::uint16_t tx_queues = 1;
  shm::MacAddress mac{};
  int socket_id = 0;  // NUMA node of the device, -1 unknown
  // False: tx() takes frames of one segment only, neither chained nor indirect (net_af_xdp sends the first
  // segment's buffer with the whole packet's length).
  bool multi_segment_tx = false;
  HostQueues host;
};

}  // namespace turnpike::dataplane
