// SPDX-License-Identifier: BSD-3-Clause
// Byte spans, worker numbers and the alignments that shared memory relies on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace turnpike {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Index of a dataplane worker lcore, 0..workers-1. Both processes use the same numbers.
using WorkerIndex = std::uint16_t;

// Our own constants: std::hardware_destructive_interference_size changes with -mtune and must not shape an
// ABI.
inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kIsolation = 128;  // two lines: the adjacent-line prefetcher pulls pairs

}  // namespace turnpike
