// SPDX-License-Identifier: BSD-3-Clause
// Comparison of secrets whose time depends on their length only.
#pragma once

#include "common/base/types.hpp"

namespace turnpike {

// Different lengths compare unequal at once: the length of a MAC or a token is public.
inline bool constant_time_equal(Bytes left, Bytes right) noexcept {
  if (left.size() != right.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (left[i] ^ right[i]));
    asm volatile("" : "+r"(difference));  // or the compiler may leave the loop at the first difference
  }
  return difference == 0;
}

}  // namespace turnpike
