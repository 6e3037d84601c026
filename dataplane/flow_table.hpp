// SPDX-License-Identifier: BSD-3-Clause
// Exact match of flow keys for one worker, which alone reads and writes it: 8-way buckets of 16-bit
// signatures, two buckets a key, the entry with key and slot at the same place of a second array. A look-up
// touches one line of signatures, of which a line holds 32, and one entry; rte_hash, which serves many
// threads, touches a line of a bucket and one or two of its key store, and calls two functions.
// bench/micro/lookup_bench.cpp compares them.
#pragma once

#include <rte_prefetch.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/batch.hpp"
#include "dataplane/flow.hpp"
#include "dataplane/huge_memory.hpp"
#include "dataplane/slot_lists.hpp"

namespace turnpike::dataplane {

class FlowTable {
public:
  // Room for `keys` keys on NUMA node `node` (-1: any); throws std::bad_alloc. `seed` is secret: clients
  // choose most of a key.
  FlowTable(std::uint64_t keys, int node, std::uint64_t seed);

  // Slot of each key, kNoSlot where there is none. At most kBurst keys.
  void find_bulk(std::span<const FlowKey* const> keys, std::uint32_t* slots) const noexcept {
    std::array<Hash, kBurst> hashes;
    std::array<std::uint32_t, kBurst> places;
    // Where they are, read once: a store to `slots` could change them, as far as the compiler knows.
    const Bucket* const buckets = buckets_.data();
    const Entry* const entries = entries_.data();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      hashes[i] = hash(*keys[i]);
      rte_prefetch0(&buckets[hashes[i].first]);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      places[i] = first_place(hashes[i].first, hashes[i].signature);
      rte_prefetch0(places[i] != kNoPlace ? static_cast<const void*>(&entries[places[i]])
                                          : &buckets[hashes[i].second]);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Entry& entry = entries[places[i]];
      slots[i] = same(entry.key, *keys[i]) ? entry.slot : find(*keys[i], hashes[i]);
    }
  }
  std::uint32_t find(const FlowKey& key) const noexcept { return find(key, hash(key)); }

  // The key leads to `slot` from now on, whether it was there or not. False: the table is full.
  bool insert(const FlowKey& key, std::uint32_t slot) noexcept;
  void erase(const FlowKey& key) noexcept;
  void clear() noexcept;
  std::size_t size() const noexcept { return size_; }

private:
  static constexpr std::uint32_t kWays = 8;
  static constexpr std::uint32_t kNoPlace = 0;      // the entry there is nobody's
  static constexpr std::uint16_t kEmpty = 0;        // signature
  static constexpr std::uint32_t kMaxStashed = 64;  // keys whose buckets were full and stayed so

  struct Hash {
    std::uint32_t first;  // buckets
    std::uint32_t second;
    std::uint16_t signature;
  };
  struct alignas(16) Bucket {
    std::array<std::uint64_t, 2> words{};  // 8 signatures

    std::uint16_t signature(std::uint32_t way) const noexcept {
      return static_cast<std::uint16_t>(words[way / 4] >> way % 4 * 16);
    }
    void set(std::uint32_t way, std::uint16_t signature) noexcept {
      const unsigned shift = way % 4 * 16;
      words[way / 4] = (words[way / 4] & ~(std::uint64_t{0xFFFF} << shift)) | std::uint64_t{signature}
                                                                                  << shift;
    }
  };
  struct alignas(32) Entry {
    FlowKey key;
    std::uint32_t slot = kNoSlot;
  };

  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  // Keyed multiplication: with CRC-32, whose seed cancels out of a difference, collisions could be prepared.
  Hash hash(const FlowKey& key) const noexcept {
    std::array<std::uint64_t, 3> words;
    std::memcpy(words.data(), &key, sizeof key);
    const std::uint64_t mixed =
        fold(fold(words[0] ^ seeds_[0], words[1] ^ seeds_[1]) ^ seeds_[2], words[2] ^ seeds_[3]);
    const auto signature = static_cast<std::uint16_t>(mixed ^ mixed >> 32);
    return {in_range(static_cast<std::uint32_t>(mixed)), in_range(static_cast<std::uint32_t>(mixed >> 32)),
            signature != kEmpty ? signature : std::uint16_t{1}};
  }
  std::uint32_t in_range(std::uint32_t random) const noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{random} * bucket_count_ >> 32);
  }
  static bool same(const FlowKey& a, const FlowKey& b) noexcept {
    std::array<std::uint64_t, 3> left;
    std::array<std::uint64_t, 3> right;
    std::memcpy(left.data(), &a, sizeof a);
    std::memcpy(right.data(), &b, sizeof b);
    return ((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2])) == 0;
  }
  // Bit 15 of every lane that may hold the signature: all that do, and seldom one more above such a lane.
  static std::uint64_t lanes(std::uint64_t word, std::uint16_t signature) noexcept {
    constexpr std::uint64_t kOnes = 0x0001000100010001;
    const std::uint64_t difference = word ^ signature * kOnes;
    return (difference - kOnes) & ~difference & kOnes << 15;
  }
  // `visit` is told the places of the bucket that may hold the signature until it says true; whether it did.
  template <typename Visit>
  bool any_place(std::uint32_t bucket, std::uint16_t signature, Visit&& visit) const noexcept {
    for (std::uint32_t half = 0; half < 2; ++half) {
      std::uint64_t found = lanes(buckets_[bucket].words[half], signature);
      for (; found != 0; found &= found - 1) {
        if (visit(place(bucket, half * 4 + static_cast<std::uint32_t>(std::countr_zero(found)) / 16)))
          return true;
      }
    }
    return false;
  }
  std::uint32_t first_place(std::uint32_t bucket, std::uint16_t signature) const noexcept {
    std::uint32_t first = kNoPlace;
    any_place(bucket, signature, [&](std::uint32_t at) {
      first = at;
      return true;
    });
    return first;
  }
  static std::uint32_t place(std::uint32_t bucket, std::uint32_t way) noexcept {
    return 1 + bucket * kWays + way;
  }
  std::uint32_t find(const FlowKey& key, const Hash& hash) const noexcept {
    const std::uint32_t at = place_of(key, hash);
    return at != kNoPlace ? entries_[at].slot : find_stashed(key);
  }
  std::uint32_t find_stashed(const FlowKey& key) const noexcept {
    for (std::uint32_t i = 0; i < stashed_; ++i) {
      if (same(stash_[i].key, key)) return stash_[i].slot;
    }
    return kNoSlot;
  }
  std::uint32_t place_of(const FlowKey& key, const Hash& hash) const noexcept {
    std::uint32_t place = kNoPlace;
    const auto is_it = [&](std::uint32_t at) {
      if (!same(entries_[at].key, key)) return false;
      place = at;
      return true;
    };
    if (!any_place(hash.first, hash.signature, is_it)) any_place(hash.second, hash.signature, is_it);
    return place;
  }
  std::uint32_t free_way(std::uint32_t bucket) const noexcept;
  bool put(std::uint32_t bucket, const Hash& hash, const Entry& entry) noexcept;
  bool make_room(std::uint32_t bucket) noexcept;

  std::array<std::uint64_t, 4> seeds_;
  std::uint32_t bucket_count_;
  HugeVector<Bucket> buckets_;
  HugeVector<Entry> entries_;  // by place: no place of a bucket is kNoPlace
  std::size_t size_ = 0;
  std::uint32_t stashed_ = 0;
  std::array<Entry, kMaxStashed> stash_;
};

}  // namespace turnpike::dataplane
