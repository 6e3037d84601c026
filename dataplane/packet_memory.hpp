// SPDX-License-Identifier: BSD-3-Clause
// The pool that all packet buffers come from.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>

#include "common/base/result.hpp"

namespace turnpike::dataplane {

struct MempoolDeleter {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using Mempool = std::unique_ptr<rte_mempool, MempoolDeleter>;

// So many buffers with `room` bytes for a frame each, headroom apart.
Result<Mempool> make_mbufs(std::uint32_t count, std::uint32_t room);

// The memory from the first buffer on that net_af_xdp gives to the kernel: as many bytes as the buffers have
// together. Where buffers must not straddle pages there are gaps between them, and the last ones lie beyond:
// the kernel swallows them without a word, and sooner or later receives nothing any more. Takes those out of
// the pool for good; gives how many.
std::uint32_t retire_unreachable(rte_mempool* pool);

}  // namespace turnpike::dataplane
