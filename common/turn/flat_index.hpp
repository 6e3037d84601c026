// SPDX-License-Identifier: BSD-3-Clause
// A hash index over records that live elsewhere: 16 bytes an entry, linear probing, no tombstones.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace turnpike::turn {

// The caller hashes (with a secret seed: keys come off the wire) and compares; the index keeps hash and
// reference.
class FlatIndex {
public:
  using Ref = std::uint64_t;
  static constexpr Ref kNone = ~Ref{0};

  std::size_t size() const { return size_; }

  template <typename Matches>  // bool matches(Ref)
  Ref find(std::uint64_t hash, Matches&& matches) const {
    if (size_ == 0) return kNone;
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Entry& entry = entries_[at];
      if (entry.ref == kNone) return kNone;
      if (entry.hash == hash && matches(entry.ref)) return entry.ref;
    }
  }

  // The key must not be there yet.
  void insert(std::uint64_t hash, Ref ref) {
    if (4 * (size_ + 1) > 3 * entries_.size()) grow();
    place({hash, ref});
    ++size_;
  }

  // One reference may stand under several keys, so both must match.
  void erase(std::uint64_t hash, Ref ref) {
    if (size_ == 0) return;
    std::size_t hole = hash & mask();
    while (entries_[hole].ref != ref || entries_[hole].hash != hash) {
      if (entries_[hole].ref == kNone) return;
      hole = (hole + 1) & mask();
    }
    // Entries behind the hole move up unless that would put them before their home.
    for (std::size_t at = (hole + 1) & mask(); entries_[at].ref != kNone; at = (at + 1) & mask()) {
      const std::size_t home = entries_[at].hash & mask();
      if (((at - home) & mask()) >= ((at - hole) & mask())) {
        entries_[hole] = entries_[at];
        hole = at;
      }
    }
    entries_[hole] = {};
    --size_;
  }

private:
  struct Entry {
    std::uint64_t hash = 0;
    Ref ref = kNone;
  };

  std::size_t mask() const { return entries_.size() - 1; }
  void place(const Entry& entry) {
    std::size_t at = entry.hash & mask();
    while (entries_[at].ref != kNone) at = (at + 1) & mask();
    entries_[at] = entry;
  }
  void grow() {
    std::vector<Entry> old =
        std::exchange(entries_, std::vector<Entry>(entries_.empty() ? 64 : 2 * entries_.size()));
    for (const Entry& entry : old) {
      if (entry.ref != kNone) place(entry);
    }
  }

  std::vector<Entry> entries_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace turnpike::turn
