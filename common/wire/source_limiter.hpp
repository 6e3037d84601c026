// SPDX-License-Identifier: BSD-3-Clause
// How much of one source is served before anybody has authenticated: a token bucket for each IPv4 address and
// IPv6 /64, and one for all sources together. A fixed table, four buckets to a cache line; whoever is new
// takes the place of the one that has been silent longest. One thread at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::wire {

// Per second; 0: no limit.
struct SourceRates {
  std::uint32_t per_source = 0;  // an IPv4 address, an IPv6 /64
  std::uint32_t of_all = 0;
};

// The first word of an address as its bytes lie: an IPv6 customer has a /64 at least, and an IPv4 address is
// shorter than that.
inline std::uint64_t source_key(const IpAddress& address) noexcept {
  std::uint64_t key;
  std::memcpy(&key, address.bytes.data(), sizeof key);
  return key;
}

class SourceBuckets {
public:
  static constexpr std::uint32_t kBurstSeconds = 2;  // of the rate, for those who come back all at a time

  struct Bucket {
    std::uint32_t tag = 0;
    std::uint32_t at_ms = 0;  // of the last look; it wraps after 49 days, and a bucket that old is anybody's
    std::uint64_t level = 0;  // in parts of a token
  };
  struct alignas(64) Set {
    std::array<Bucket, 4> buckets;
  };
  static_assert(sizeof(Set) == 64);
};

// `Table` is a vector of SourceBuckets::Set, a power of two of them, wherever its owner wants its memory.
template <typename Table>
class SourceLimiter : public SourceBuckets {
public:
  enum class Verdict : std::uint8_t { kPass, kSourceOver, kAllOver };

  // How many sets the table should have: `wanted`, but hardly any without a limit of single sources.
  static constexpr std::size_t sets(const SourceRates& rates, std::size_t wanted) {
    return rates.per_source != 0 ? wanted : 1;
  }
  // `seed` is secret: senders choose their addresses.
  SourceLimiter(const SourceRates& rates, std::uint64_t seed, Table table)
      : rates_(rates),
        seeds_{mix(seed), mix(seed + 1)},
        table_(std::move(table)),
        everybody_{0, 0, full(rates.of_all)} {}

  Verdict admit(std::uint64_t source_key, std::uint64_t now_ns) noexcept {
    const auto now = static_cast<std::uint32_t>(now_ns / kNsPerMs);
    if (rates_.per_source != 0 && !take(bucket_of(source_key, now), rates_.per_source, now))
      return Verdict::kSourceOver;
    if (rates_.of_all != 0 && !take(everybody_, rates_.of_all, now)) return Verdict::kAllOver;
    return Verdict::kPass;
  }

private:
  static constexpr std::uint64_t kNsPerMs = 1'000'000;
  static constexpr std::uint32_t kToken =
      1000;  // each millisecond brings as many parts as the rate has tokens a second

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
  Bucket& bucket_of(std::uint64_t source_key, std::uint32_t now) noexcept {
    const auto product = static_cast<unsigned __int128>(source_key ^ seeds_[0]) * (seeds_[1] | 1);
    const auto hash = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    const auto tag = static_cast<std::uint32_t>(hash) | 1;  // 0: nobody's
    Set& set = table_[hash >> 32 & (table_.size() - 1)];
    Bucket* oldest = &set.buckets[0];
    for (Bucket& bucket : set.buckets) {
      if (bucket.tag == tag) return bucket;
      if (bucket.tag == 0 || now - bucket.at_ms > now - oldest->at_ms) oldest = &bucket;
    }
    *oldest = {tag, now, full(rates_.per_source)};
    return *oldest;
  }

  SourceRates rates_;
  std::array<std::uint64_t, 2> seeds_;
  Table table_;
  Bucket everybody_;
};

}  // namespace turnpike::wire
