// SPDX-License-Identifier: BSD-3-Clause
// Sessions with a bandwidth limit (max-bps): what is above it ends here, in either direction.
#include "dataplane/stages/traffic.hpp"

namespace turnpike::dataplane {

bool charge_to_peer(Lcore& lcore, rte_mbuf* mbuf, std::uint32_t allocation, std::uint16_t bytes) noexcept {
  Bandwidth& bandwidth = lcore.tables->bandwidth(allocation);
  if (bandwidth.to_peer.take(bandwidth.rate, bytes, lcore.now_ns)) return true;
  shm::add_relaxed(lcore.region->over_limit(lcore.index, allocation).to_peer_packets, 1);
  lcore.drop(mbuf, shm::DropReason::k_to_peer_over_limit);
  return false;
}

bool charge_to_client(Lcore& lcore, rte_mbuf* mbuf, std::uint32_t allocation, std::uint16_t bytes) noexcept {
  Bandwidth& bandwidth = lcore.tables->bandwidth(allocation);
  if (bandwidth.to_client.take(bandwidth.rate, bytes, lcore.now_ns)) return true;
  shm::add_relaxed(lcore.region->over_limit(lcore.index, allocation).to_client_packets, 1);
  lcore.drop(mbuf, shm::DropReason::k_to_client_over_limit);
  return false;
}

}  // namespace turnpike::dataplane
