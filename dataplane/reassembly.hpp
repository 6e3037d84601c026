// SPDX-License-Identifier: BSD-3-Clause
// Datagrams from fragments, by librte_ip_frag, within bounds of number, time and size.
#pragma once

#include <rte_ip_frag.h>
#include <rte_mempool.h>

#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "dataplane/batch.hpp"

namespace turnpike::dataplane {

struct Lcore;

class Reassembly {
public:
  // At most kFlows datagrams in pieces at a time, of at most RTE_LIBRTE_IP_FRAG_MAX_FRAG pieces (8 in
  // Debian's DPDK), each for two seconds (RFC 8656 leaves the time open; media is old by then), in kLarge
  // buffers of kRoom bytes.
  static constexpr std::uint32_t kFlows = 256;
  static constexpr std::uint32_t kLarge = 64;
  static constexpr std::uint16_t kRoom = 65535;  // with headroom: what an mbuf's 16-bit length can say

  static Result<std::unique_ptr<Reassembly>> create(WorkerIndex worker, int socket_id);
  ~Reassembly();

  // Takes the fragment. Returns the whole datagram with its link-layer header, in one segment, when this was
  // the last piece; nullptr while pieces are missing or when it was dropped.
  rte_mbuf* add(Lcore& lcore, const Packet& packet) noexcept;
  // Frees what timed out; between bursts.
  void expire(Lcore& lcore) noexcept;

private:
  Reassembly() = default;
  rte_mbuf* to_one_segment(Lcore& lcore, rte_mbuf* chain) noexcept;

  rte_ip_frag_tbl* table_ = nullptr;
  rte_ip_frag_death_row death_row_{};
  rte_mempool* large_ = nullptr;
};

}  // namespace turnpike::dataplane
