// SPDX-License-Identifier: BSD-3-Clause
// A counter that one thread writes and others read.
#pragma once

#include <atomic>
#include <cstdint>

namespace turnpike::load {

class Count {
public:
  void operator+=(std::uint64_t more) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  void operator=(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void operator++() noexcept { *this += 1; }
  operator std::uint64_t() const noexcept {  // NOLINT: reads like the number it is
    return value_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace turnpike::load
