// SPDX-License-Identifier: BSD-3-Clause
// Two clients of one relay calling each other: what one relayed address sends to another goes back into the
// pipeline, with the same checks as if it had come from the wire. No NIC would loop it back.
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {

void hairpin(Lcore& lcore, rte_mbuf* mbuf) noexcept {
  if (lcore.hairpin_count == lcore.hairpins.size()) return lcore.drop(mbuf, shm::DropReason::k_hairpin_limit);
  lcore.count(shm::Counter::k_hairpin);
  lcore.hairpins[lcore.hairpin_count++] = mbuf;
}

void relay_hairpins(Lcore& lcore, Batch& batch) noexcept {
  // Data towards a client never hairpins, so one round ends it; the bound only guards that reasoning.
  for (int round = 0; lcore.hairpin_count != 0 && round < 4; ++round) {
    std::array<rte_mbuf*, 2 * kBurst> waiting;
    const std::uint16_t count = lcore.hairpin_count;
    std::copy_n(lcore.hairpins.begin(), count, waiting.begin());
    lcore.hairpin_count = 0;
    for (std::uint16_t start = 0; start < count; start += kBurst) {
      batch.clear();
      for (std::uint16_t i = start; i < count && i < start + kBurst; ++i)
        classify_hairpin(lcore, batch, waiting[i]);
      relay(lcore, batch);
    }
  }
  while (lcore.hairpin_count != 0)
    lcore.drop(lcore.hairpins[--lcore.hairpin_count], shm::DropReason::k_hairpin_limit);
}

}  // namespace turnpike::dataplane
