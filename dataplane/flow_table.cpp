// SPDX-License-Identifier: BSD-3-Clause
// Changing the table: rare beside look-ups, and bounded in time like them.
#include "dataplane/flow_table.hpp"

#include <algorithm>

namespace turnpike::dataplane {
namespace {

// Buckets three quarters full on average: a key whose two are both full then finds, but for a vanishing
// share, one of the sixteen in them whose other bucket has room.
std::uint32_t buckets_for(std::uint64_t keys) {
  constexpr std::uint64_t kKeysEach = 6;
  constexpr std::uint64_t kMost = 1U << 28;  // places are 32-bit
  const std::uint64_t buckets = keys / kKeysEach + 1;
  if (buckets > kMost) throw std::bad_alloc();
  return static_cast<std::uint32_t>(buckets);
}

}  // namespace

FlowTable::FlowTable(std::uint64_t keys, int node, std::uint64_t seed)
    : seeds_{wire::mix(seed + 1), wire::mix(seed + 2), wire::mix(seed + 3), wire::mix(seed + 4)},
      bucket_count_(buckets_for(keys)),
      buckets_(make_huge<Bucket>(bucket_count_, node)),
      entries_(make_huge<Entry>(place(bucket_count_, 0), node)) {}

std::uint32_t FlowTable::free_way(std::uint32_t bucket) const noexcept {
  std::uint32_t way = 0;
  while (way < kWays && buckets_[bucket].signature(way) != kEmpty) ++way;
  return way;
}

bool FlowTable::put(std::uint32_t bucket, const Hash& hash, const Entry& entry) noexcept {
  const std::uint32_t way = free_way(bucket);
  if (way == kWays) return false;
  buckets_[bucket].set(way, hash.signature);
  entries_[place(bucket, way)] = entry;
  return true;
}

// Moves one key of a full bucket to its other one.
bool FlowTable::make_room(std::uint32_t bucket) noexcept {
  for (std::uint32_t way = 0; way < kWays; ++way) {
    Entry& entry = entries_[place(bucket, way)];
    const Hash its = hash(entry.key);
    const std::uint32_t other = its.first == bucket ? its.second : its.first;
    if (other == bucket || !put(other, its, entry)) continue;
    buckets_[bucket].set(way, kEmpty);
    entry = {};
    return true;
  }
  return false;
}

bool FlowTable::insert(const FlowKey& key, std::uint32_t slot) noexcept {
  const Hash its = hash(key);
  if (const std::uint32_t at = place_of(key, its); at != kNoPlace) {
    entries_[at].slot = slot;
    return true;
  }
  for (std::uint32_t i = 0; i < stashed_; ++i) {
    if (!same(stash_[i].key, key)) continue;
    stash_[i].slot = slot;
    return true;
  }
  const Entry entry{key, slot};
  // The first bucket before the second: most look-ups then end there.
  const bool put_away = put(its.first, its, entry) || put(its.second, its, entry) ||
                        (make_room(its.first) && put(its.first, its, entry)) ||
                        (make_room(its.second) && put(its.second, its, entry));
  if (!put_away) {
    if (stashed_ == kMaxStashed) return false;
    stash_[stashed_++] = entry;
  }
  ++size_;
  return true;
}

void FlowTable::erase(const FlowKey& key) noexcept {
  const Hash its = hash(key);
  if (const std::uint32_t at = place_of(key, its); at != kNoPlace) {
    buckets_[(at - 1) / kWays].set((at - 1) % kWays, kEmpty);
    entries_[at] = {};
    --size_;
    return;
  }
  for (std::uint32_t i = 0; i < stashed_; ++i) {
    if (!same(stash_[i].key, key)) continue;
    stash_[i] = stash_[--stashed_];
    --size_;
    return;
  }
}

void FlowTable::clear() noexcept {
  std::fill(buckets_.begin(), buckets_.end(), Bucket{});
  std::fill(entries_.begin(), entries_.end(), Entry{});
  size_ = 0;
  stashed_ = 0;
}

}  // namespace turnpike::dataplane
