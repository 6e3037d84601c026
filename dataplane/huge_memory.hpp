// SPDX-License-Identifier: BSD-3-Clause
// Large tables on the worker's NUMA node and, where the kernel has them, on huge pages: a million flows in
// ordinary pages would miss the TLB with every packet. Transparent huge pages, because those that the
// operator has reserved are for packet buffers, and their number need not grow with the tables.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace turnpike::dataplane {

// Zeroed memory of `bytes` on `node` (-1: wherever); throws std::bad_alloc. release_huge() takes the same
// size.
void* allocate_huge(std::size_t bytes, int node);
void release_huge(void* memory, std::size_t bytes) noexcept;

template <typename T>
class HugeAllocator {
public:
  using value_type = T;

  explicit HugeAllocator(int node = -1) noexcept : node_(node) {}
  template <typename U>
  HugeAllocator(const HugeAllocator<U>& other) noexcept : node_(other.node()) {}

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(allocate_huge(count * sizeof(T), node_));
  }
  void deallocate(T* memory, std::size_t count) noexcept { release_huge(memory, count * sizeof(T)); }
  int node() const noexcept { return node_; }

  // Memory may be given back through any of them.
  friend bool operator==(const HugeAllocator&, const HugeAllocator&) noexcept { return true; }

private:
  int node_;
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

// `count` of them, each written once: no page fault is left for the packet path.
template <typename T>
HugeVector<T> make_huge(std::size_t count, int node) {
  return HugeVector<T>(count, T{}, HugeAllocator<T>(node));
}

}  // namespace turnpike::dataplane
