// SPDX-License-Identifier: BSD-3-Clause
// Making the pool step by step, because rte_pktmbuf_pool_create() takes no flags.
#include "dataplane/packet_memory.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include <algorithm>
#include <string>
#include <vector>

namespace turnpike::dataplane {
namespace {

constexpr unsigned kMbufCache = 256;

// Without hugepages no device reads memory by physical addresses (eal.cpp refuses pci ports then), so that
// buffers may straddle pages: two thirds of the memory, and no gaps.
unsigned pool_flags() { return rte_eal_has_hugepages() != 0 ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG; }

}  // namespace

Result<Mempool> make_mbufs(std::uint32_t count, std::uint32_t room) {
  rte_pktmbuf_pool_private settings{};
  settings.mbuf_data_room_size = static_cast<std::uint16_t>(room + RTE_PKTMBUF_HEADROOM);
  Mempool pool(rte_mempool_create_empty(
      "mbufs", count, static_cast<unsigned>(sizeof(rte_mbuf)) + settings.mbuf_data_room_size, kMbufCache,
      sizeof settings, SOCKET_ID_ANY, pool_flags()));
  int error =
      pool ? rte_mempool_set_ops_byname(pool.get(), rte_mbuf_best_mempool_ops(), nullptr) : -rte_errno;
  if (error == 0) {
    rte_pktmbuf_pool_init(pool.get(), &settings);
    error = rte_mempool_populate_default(pool.get());
  }
  if (error < 0) return Error{std::string("no memory for packet buffers (") + rte_strerror(-error) + ")"};
  rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
  return pool;
}

std::uint32_t retire_unreachable(rte_mempool* pool) {
  const std::size_t each = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, nullptr);
  const auto first = reinterpret_cast<std::uintptr_t>(STAILQ_FIRST(&pool->mem_list)->addr);
  const std::uintptr_t end = first + pool->populated_size * each;
  std::vector<void*> all(rte_mempool_avail_count(pool));
  if (rte_mempool_get_bulk(pool, all.data(), static_cast<unsigned>(all.size())) != 0) return 0;
  const auto beyond = std::partition(all.begin(), all.end(), [&](void* buffer) {
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(buffer) - pool->header_size;
    return begin >= first && begin + each <= end;
  });
  // At once: one by one they would stay in this lcore's cache.
  rte_mempool_put_bulk(pool, all.data(), static_cast<unsigned>(beyond - all.begin()));
  return static_cast<std::uint32_t>(all.end() - beyond);
}

}  // namespace turnpike::dataplane
