// SPDX-License-Identifier: BSD-3-Clause
// All packet buffers lie in the memory that net_af_xdp gives to the kernel.
#include "dataplane/packet_memory.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <vector>

#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

constexpr std::uint32_t kCount = 4000;

// How far the last byte of those that the pool still gives is from its first one.
std::size_t extent(rte_mempool* pool) {
  std::vector<void*> all(rte_mempool_avail_count(pool));
  EXPECT_EQ(rte_mempool_get_bulk(pool, all.data(), static_cast<unsigned>(all.size())), 0);
  const auto* last = static_cast<const char*>(*std::max_element(all.begin(), all.end()));
  const auto* first = static_cast<const char*>(STAILQ_FIRST(&pool->mem_list)->addr);
  rte_mempool_put_bulk(pool, all.data(), static_cast<unsigned>(all.size()));
  return static_cast<std::size_t>(last - first) + pool->elt_size;
}

std::size_t given_to_kernel(const rte_mempool* pool) {
  return pool->populated_size * std::size_t{rte_mempool_calc_obj_size(pool->elt_size, pool->flags, nullptr)};
}

class PacketMemory : public StageTest {};

TEST_F(PacketMemory, WithoutHugepagesHasNoGaps) {
  auto pool = dataplane::make_mbufs(kCount, RTE_MBUF_DEFAULT_DATAROOM);
  ASSERT_TRUE(pool) << pool.error();
  EXPECT_LE(extent(pool->get()), given_to_kernel(pool->get()));
  EXPECT_EQ(dataplane::retire_unreachable(pool->get()), 0U);
  EXPECT_EQ(rte_mempool_avail_count(pool->get()), kCount);
  EXPECT_EQ(rte_pktmbuf_data_room_size(pool->get()), RTE_MBUF_DEFAULT_BUF_SIZE);
}

TEST_F(PacketMemory, WhatLiesBeyondIsNeverGivenOut) {
  // Buffers that may not straddle pages: one in each page of 4 KiB.
  dataplane::Mempool pool(
      rte_pktmbuf_pool_create("gaps", kCount, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY));
  ASSERT_NE(pool, nullptr);
  ASSERT_GT(extent(pool.get()), given_to_kernel(pool.get()));
  const std::uint32_t retired = dataplane::retire_unreachable(pool.get());
  EXPECT_GT(retired, kCount / 4);
  EXPECT_EQ(rte_mempool_avail_count(pool.get()), kCount - retired);
  EXPECT_LE(extent(pool.get()), given_to_kernel(pool.get()));
}

}  // namespace
}  // namespace turnpike::test
