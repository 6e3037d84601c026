// SPDX-License-Identifier: BSD-3-Clause
// A range of ports as values under masks, which is how NICs match.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "common/base/steering.hpp"

namespace turnpike::dataplane {

// All ports p with (p & mask) == value, host byte order.
struct PortMask {
  std::uint16_t value = 0;
  std::uint16_t mask = 0;
  friend bool operator==(const PortMask&, const PortMask&) = default;
};

// The fewest masks that cover the range exactly, at most 30: each takes the largest aligned power of two.
inline std::vector<PortMask> port_masks(const PortRange& range) {
  std::vector<PortMask> masks;
  for (std::uint32_t first = range.first; first <= range.last;) {
    const std::uint32_t left = range.last - first + 1u;
    const std::uint32_t aligned = first == 0 ? 65536 : 1u << std::countr_zero(first);
    const std::uint32_t size = aligned < left ? aligned : std::bit_floor(left);
    masks.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(~(size - 1))});
    first += size;
  }
  return masks;
}

}  // namespace turnpike::dataplane
