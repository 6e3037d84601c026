// SPDX-License-Identifier: BSD-3-Clause
// What is not relay traffic goes to the kernel side of its port, and comes back from there.
#include <unistd.h>

#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {

using shm::DropReason;

void to_host(Lcore& lcore, rte_mbuf* mbuf, DropReason reason) noexcept {
  rte_ring* queue = lcore.ports[mbuf->port]->host.to_host;
  if (queue == nullptr) return lcore.drop(mbuf, reason);
  if (rte_ring_mp_enqueue(queue, mbuf) != 0) return lcore.drop(mbuf, DropReason::k_host_path_full);
  lcore.count(shm::Counter::k_host_tx);
  lcore.host_pushed = true;
}

void wake_main(Lcore& lcore) noexcept {
  if (!lcore.host_pushed) return;
  lcore.host_pushed = false;
  // As for control: publish, fence, look whether the other side sleeps (abi.hpp).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  auto& asleep = lcore.region->header().main_asleep;
  if (asleep.load(std::memory_order_relaxed) != 0 && asleep.exchange(0, std::memory_order_relaxed) != 0) {
    const std::uint64_t one = 1;
    if (write(lcore.wake_main, &one, sizeof one) != sizeof one)
      lcore.errors.raise("waking main failed", lcore.now_ns);
  }
}

std::uint32_t from_host(Lcore& lcore, const Port& port) noexcept {
  if (port.host.from_host == nullptr) return 0;
  std::array<rte_mbuf*, kBurst> frames;
  const unsigned count = rte_ring_sc_dequeue_burst(
      port.host.from_host, reinterpret_cast<void**>(frames.data()), frames.size(), nullptr);
  for (unsigned i = 0; i < count; ++i) transmit(lcore, port.index, frames[i]);
  lcore.count(shm::Counter::k_host_rx, count);
  return count;
}

}  // namespace turnpike::dataplane
