// SPDX-License-Identifier: BSD-3-Clause
// Anonymous mappings that start on a huge page's boundary.
#include "dataplane/huge_memory.hpp"

#include <numa.h>
#include <sys/mman.h>

#include <cstdint>

namespace turnpike::dataplane {
namespace {

constexpr std::size_t kHugePage = 2U << 20;

std::size_t round_up(std::size_t bytes) { return (bytes + kHugePage - 1) & ~(kHugePage - 1); }

}  // namespace

void* allocate_huge(std::size_t bytes, int node) {
  const std::size_t size = round_up(bytes);
  if (size < bytes) throw std::bad_alloc();
  // One huge page more than needed, and what is in front of the boundary and behind the end given back.
  const std::size_t reserved = size + kHugePage;
  void* base =
      mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  auto* const first = static_cast<std::uint8_t*>(base);
  const std::size_t skipped =
      round_up(reinterpret_cast<std::uintptr_t>(base)) - reinterpret_cast<std::uintptr_t>(base);
  if (skipped != 0) munmap(first, skipped);
  if (skipped != kHugePage) munmap(first + skipped + size, kHugePage - skipped);
  void* const memory = first + skipped;
  madvise(memory, size, MADV_HUGEPAGE);  // a kernel without them gives ordinary pages
  if (node >= 0 && numa_available() == 0) numa_tonode_memory(memory, size, node);
  return memory;
}

void release_huge(void* memory, std::size_t bytes) noexcept { munmap(memory, round_up(bytes)); }

}  // namespace turnpike::dataplane
