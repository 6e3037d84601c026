// SPDX-License-Identifier: BSD-3-Clause
// EAL and the one DPDK port of this program.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <memory>
#include <span>

#include "bench/load/options.hpp"
#include "common/base/types.hpp"

namespace turnpike::load {

class Port {
public:
  // Starts EAL and waits until the other side is there.
  static Result<std::unique_ptr<Port>> open(const Options& options);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  std::uint16_t receive(std::span<rte_mbuf*> burst) noexcept {
    return rte_eth_rx_burst(id_, 0, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  // How many left; the rest stays the caller's.
  std::uint16_t send(std::span<rte_mbuf*> burst) noexcept {
    return rte_eth_tx_burst(id_, 0, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  // One frame by itself, which write(bytes) fills; false when the ring is full.
  template <typename Write>
  bool send(std::size_t size, Write&& write) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) return false;
    char* const room = rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(size));
    if (room != nullptr) write(reinterpret_cast<std::uint8_t*>(room));
    if (room != nullptr && send(std::span(&mbuf, 1)) == 1) return true;
    rte_pktmbuf_free(mbuf);
    return false;
  }
  bool up() const noexcept;

  // Buffers that hold `frame` and keep what is written into them: whoever sends them, nobody changes them on
  // their way. Null when there is no memory.
  rte_mempool* make_frames(const char* name, Bytes frame) const;

private:
  Port() = default;
  Status start(const Options& options);
  Status start_device(const Options& options);
  Status start_loop();
  Status configure();
  Status connect();

  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  rte_mempool* pool_ = nullptr;
  rte_ring* loop_ = nullptr;  // of a null port
  bool memif_ = false;
};

inline Bytes bytes_of(const rte_mbuf* mbuf) noexcept {
  return {rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len};
}

}  // namespace turnpike::load
