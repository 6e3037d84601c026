// SPDX-License-Identifier: BSD-3-Clause
// EAL and the one memif port of this program.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <memory>
#include <span>

#include "bench/load/options.hpp"
#include "common/base/types.hpp"

namespace turnpike::load {

class MemifPort {
public:
  // Starts EAL and waits until the other side is there.
  static Result<std::unique_ptr<MemifPort>> open(const Options& options);
  ~MemifPort();
  MemifPort(const MemifPort&) = delete;
  MemifPort& operator=(const MemifPort&) = delete;

  std::uint16_t receive(std::span<rte_mbuf*> burst) noexcept {
    return rte_eth_rx_burst(id_, 0, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  // How many left; the rest stays the caller's.
  std::uint16_t send(std::span<rte_mbuf*> burst) noexcept {
    return rte_eth_tx_burst(id_, 0, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  bool allocate(std::span<rte_mbuf*> burst) noexcept {
    return rte_pktmbuf_alloc_bulk(pool_, burst.data(), static_cast<unsigned>(burst.size())) == 0;
  }
  // One frame by itself; false when the ring is full.
  bool send(Bytes frame) noexcept;
  bool up() const noexcept;

private:
  MemifPort() = default;
  Status start(const Options& options);
  Status connect();

  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  rte_mempool* pool_ = nullptr;
};

inline Bytes bytes_of(const rte_mbuf* mbuf) noexcept {
  return {rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len};
}

}  // namespace turnpike::load
