// SPDX-License-Identifier: BSD-3-Clause
// Between workers: a packet goes to the worker that owns its client or relayed port, a finished frame to the
// one that owns the port's transmit queue. Single-producer single-consumer rings, one pair per pair of
// workers.
#include <rte_thash.h>

#include "dataplane/port/rss.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

// What the classifier of the other worker needs to know again travels in header-length fields of the mbuf,
// which no driver of ours uses on receive.
void mark(rte_mbuf* mbuf, const Packet& packet) noexcept {
  mbuf->l2_len = packet.hairpin ? 0 : packet.link_size;
  mbuf->l3_len = packet.fragmented ? 1 : 0;
}

}  // namespace

WorkerIndex owner_of_client(const Packet& packet, WorkerIndex workers) noexcept {
  // The tuple as words in host order, as rte_softrss wants it: addresses, then both ports in one word.
  std::array<std::uint32_t, 9> tuple;
  const std::size_t words = packet.v4 ? 1 : 4;
  for (std::size_t i = 0; i < words; ++i) {
    tuple[i] = wire::load_be32(packet.key.remote.data() + 4 * i);
    tuple[words + i] = wire::load_be32(packet.local->address.bytes.data() + 4 * i);
  }
  tuple[2 * words] = std::uint32_t{packet.key.remote_port} << 16 | packet.key.local_port;
  const std::uint32_t hash =
      rte_softrss(tuple.data(), static_cast<std::uint32_t>(2 * words + 1), kRssKey.data());
  return static_cast<WorkerIndex>(rss_queue(hash, workers));
}

void hand_over(Lcore& lcore, const Packet& packet, WorkerIndex owner) noexcept {
  mark(packet.mbuf, packet);
  if (rte_ring_sp_enqueue(lcore.to_worker[owner].receive, packet.mbuf) != 0) {
    return lcore.drop(packet.mbuf, DropReason::k_handoff_full);
  }
  lcore.count(Counter::k_handoff_tx);
}

std::uint32_t take_over(Lcore& lcore) noexcept {
  std::uint32_t work = 0;
  std::array<rte_mbuf*, kBurst> frames;
  for (WorkerIndex other = 0; other < lcore.workers; ++other) {
    if (other == lcore.index) continue;
    const HandoffRings& rings = lcore.from_worker[other];
    auto** table = reinterpret_cast<void**>(frames.data());
    unsigned more = 0;
    unsigned count = rte_ring_sc_dequeue_burst(rings.transmit, table, kBurst, &more);
    if (count != 0) lcore.raise(Counter::k_perf_handoff_high, count + more);
    for (unsigned i = 0; i < count; ++i) transmit(lcore, frames[i]->port, frames[i]);
    work += count;
    count = rte_ring_sc_dequeue_burst(rings.receive, table, kBurst, &more);
    if (count != 0) lcore.raise(Counter::k_perf_handoff_high, count + more);
    if (count == 0) continue;
    work += count;
    lcore.count(Counter::k_handoff_rx, count);
    lcore.batch.clear();
    for (unsigned i = 0; i < count; ++i) {
      if (frames[i]->l2_len == 0) {
        classify_hairpin(lcore, lcore.batch, frames[i]);
      } else {
        classify_link(lcore, lcore.batch, frames[i], frames[i]->l3_len != 0);
      }
    }
    relay(lcore, lcore.batch);
    if (lcore.hairpin_count != 0) relay_hairpins(lcore, lcore.batch);
  }
  return work;
}

}  // namespace turnpike::dataplane
