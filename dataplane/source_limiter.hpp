// SPDX-License-Identifier: BSD-3-Clause
// How many requests of one source this worker answers or hands to control before anybody has authenticated: a
// token bucket for each IPv4 address and IPv6 /64, and one for all sources together. A fixed table, four
// buckets to a cache line; whoever is new takes the place of the one that has been silent longest.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/huge_memory.hpp"
#include "dataplane/local_addresses.hpp"
#include "dataplane/request_limits.hpp"

namespace turnpike::dataplane {

class SourceLimiter {
public:
  enum class Verdict : std::uint8_t { kPass, kSourceOver, kAllOver };

  // `seed` is secret: senders choose their addresses. Throws std::bad_alloc.
  SourceLimiter(const RequestLimits& limits, std::uint64_t seed, int node)
      : limits_(limits),
        seeds_{wire::mix(seed), wire::mix(seed + 1)},
        sets_(make_huge<Set>(limits.per_source != 0 ? kSets : 1, node)),
        everybody_{0, 0, full(limits.of_all)} {}

  Verdict admit(const AddressWords& source, std::uint64_t now_ns) noexcept {
    const auto now = static_cast<std::uint32_t>(now_ns / kNsPerMs);
    if (limits_.per_source != 0 && !take(bucket_of(source, now), limits_.per_source, now))
      return Verdict::kSourceOver;
    if (limits_.of_all != 0 && !take(everybody_, limits_.of_all, now)) return Verdict::kAllOver;
    return Verdict::kPass;
  }

private:
  static constexpr std::uint64_t kNsPerMs = 1'000'000;
  static constexpr std::uint32_t kSets = 1U << 14;  // 65536 sources in 1 MiB
  static constexpr std::uint32_t kToken =
      1000;  // each millisecond brings as many parts as the rate has tokens a second
  static constexpr std::uint32_t kBurstSeconds = 2;  // of the rate, for those who come back all at a time

  struct Bucket {
    std::uint32_t tag = 0;
    std::uint32_t at_ms = 0;  // of the last look; it wraps after 49 days, and a bucket that old is anybody's
    std::uint64_t level = 0;  // in parts of a token
  };
  struct alignas(kCacheLine) Set {
    std::array<Bucket, 4> buckets;
  };
  static_assert(sizeof(Set) == kCacheLine);

  static constexpr std::uint64_t full(std::uint32_t rate) noexcept {
    return std::uint64_t{rate} * kBurstSeconds * kToken;
  }
  static bool take(Bucket& bucket, std::uint32_t rate, std::uint32_t now) noexcept {
    const std::uint32_t elapsed = now - bucket.at_ms;
    bucket.at_ms = now;
    bucket.level = std::min(full(rate), bucket.level + std::uint64_t{elapsed} * rate);
    if (bucket.level < kToken) return false;
    bucket.level -= kToken;
    return true;
  }
  // An IPv6 customer has a /64 at least; an IPv4 address is the first word as well.
  Bucket& bucket_of(const AddressWords& source, std::uint32_t now) noexcept {
    const auto product = static_cast<unsigned __int128>(source.low ^ seeds_[0]) * (seeds_[1] | 1);
    const auto hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    const auto tag = static_cast<std::uint32_t>(hash) | 1;  // 0: nobody's
    Set& set = sets_[hash >> 32 & (kSets - 1)];
    Bucket* oldest = &set.buckets[0];
    for (Bucket& bucket : set.buckets) {
      if (bucket.tag == tag) return bucket;
      if (bucket.tag == 0 || now - bucket.at_ms > now - oldest->at_ms) oldest = &bucket;
    }
    *oldest = {tag, now, full(limits_.per_source)};
    return *oldest;
  }

  RequestLimits limits_;
  std::array<std::uint64_t, 2> seeds_;
  HugeVector<Set> sets_;
  Bucket everybody_;
};

}  // namespace turnpike::dataplane
