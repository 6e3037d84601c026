// SPDX-License-Identifier: BSD-3-Clause
// The last stage: frames leave in bursts, one per port and pass.
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

void send(Lcore& lcore, std::uint16_t index) noexcept {
  TransmitQueue& queue = lcore.transmit[index];
  if (queue.count == 0) return;
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < queue.count; ++i) bytes += queue.frames[i]->pkt_len;
  std::uint16_t sent = lcore.ports[index]->tx(lcore.index, {queue.frames.data(), queue.count});
  for (std::uint16_t i = sent; i < queue.count; ++i) {
    bytes -= queue.frames[i]->pkt_len;
    lcore.drop(queue.frames[i], DropReason::k_tx_full);
  }
  lcore.count(Counter::k_tx_packets, sent);
  lcore.count(Counter::k_tx_bytes, bytes);
  queue.count = 0;
}

}  // namespace

void transmit_otherwise(Lcore& lcore, std::uint16_t port, rte_mbuf* mbuf) noexcept {
  TransmitQueue& queue = lcore.transmit[port];
  if (queue.own) {  // and full
    send(lcore, port);
    queue.frames[queue.count++] = mbuf;
    return;
  }
  // Another worker owns the only queues that this port has.
  mbuf->port = port;
  rte_ring* ring = lcore.to_worker[lcore.index % lcore.ports[port]->tx_queues].transmit;
  if (rte_ring_sp_enqueue(ring, mbuf) != 0) lcore.drop(mbuf, DropReason::k_handoff_full);
}

void flush(Lcore& lcore) noexcept {
  for (std::uint16_t port = 0; port < lcore.ports.size(); ++port) send(lcore, port);
}

}  // namespace turnpike::dataplane
