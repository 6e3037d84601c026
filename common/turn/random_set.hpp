// SPDX-License-Identifier: BSD-3-Clause
// A set of small numbers with O(1) insert, erase, contains and uniform pick, however full it is.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace turnpike::turn {

// Numbers 0..universe-1 (universe <= 65536), all present at first. `items_` is a permutation whose first
// `size_` entries are the members; `position_` is its inverse.
class RandomSet {
public:
  explicit RandomSet(std::uint32_t universe) : items_(universe), position_(universe), size_(universe) {
    std::iota(items_.begin(), items_.end(), std::uint16_t{0});
    std::iota(position_.begin(), position_.end(), std::uint16_t{0});
  }

  std::uint32_t size() const { return size_; }
  bool contains(std::uint32_t number) const { return number < position_.size() && position_[number] < size_; }
  std::uint16_t at(std::uint32_t rank) const { return items_[rank]; }  // rank < size()

  void insert(std::uint32_t number) {
    if (!contains(number)) exchange(position_[number], size_++);
  }
  void erase(std::uint32_t number) {
    if (contains(number)) exchange(position_[number], --size_);
  }

private:
  void exchange(std::uint32_t a, std::uint32_t b) {
    std::swap(items_[a], items_[b]);
    position_[items_[a]] = static_cast<std::uint16_t>(a);
    position_[items_[b]] = static_cast<std::uint16_t>(b);
  }

  std::vector<std::uint16_t> items_;
  std::vector<std::uint16_t> position_;
  std::uint32_t size_;
};

}  // namespace turnpike::turn
