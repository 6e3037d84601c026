// SPDX-License-Identifier: BSD-3-Clause
// Small random numbers out of the CSPRNG, fetched in blocks: one call of the library serves many picks.
#pragma once

#include <array>
#include <cstring>
#include <type_traits>

#include "common/base/crypto.hpp"

namespace turnpike::turn {

class RandomSource {
public:
  explicit RandomSource(Crypto& crypto) : crypto_(crypto) {}

  template <typename T>
  T value() {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(block_));
    if (used_ + sizeof(T) > block_.size()) {
      crypto_.random(block_);
      used_ = 0;
    }
    T value;
    std::memcpy(&value, block_.data() + used_, sizeof value);
    std::memset(block_.data() + used_, 0, sizeof value);  // a number that was given out is not kept
    used_ += sizeof value;
    return value;
  }

  // Uniform in 0..bound-1, bound > 0. Values in the incomplete last stretch of the range are thrown away.
  std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t threshold = -bound % bound;
    while (true) {
      const auto product = std::uint64_t{value<std::uint32_t>()} * bound;
      if (static_cast<std::uint32_t>(product) >= threshold) return static_cast<std::uint32_t>(product >> 32);
    }
  }

private:
  Crypto& crypto_;
  std::array<std::uint8_t, 1024> block_{};
  std::size_t used_ = sizeof(block_);
};

}  // namespace turnpike::turn
