// SPDX-License-Identifier: BSD-3-Clause
// How much one allocation may still relay, each direction apart. One cache line, looked at only for
// allocations with a limit: their flows say so.
#pragma once

#include "common/base/token_bucket.hpp"
#include "common/base/types.hpp"

namespace turnpike::dataplane {

struct alignas(kCacheLine) Bandwidth {
  ByteRate rate;
  TokenBucket to_peer;    // worker: rw
  TokenBucket to_client;  // worker: rw

  // A fact that repeats the limit leaves the buckets as they are.
  void limit(std::uint64_t bytes_per_second) noexcept {
    if (bytes_per_second == rate.bytes_per_second()) return;
    const bool fresh = rate.bytes_per_second() == 0;
    rate = ByteRate(bytes_per_second);
    if (fresh) to_peer = to_client = TokenBucket(rate);
    to_peer.change(rate);
    to_client.change(rate);
  }
};
static_assert(sizeof(Bandwidth) == kCacheLine);

}  // namespace turnpike::dataplane
