// SPDX-License-Identifier: BSD-3-Clause
// Takes a fuzzer's bytes apart, piece by piece; zeros when there are no more.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "common/base/types.hpp"

namespace turnpike::test {

class FuzzInput {
public:
  explicit FuzzInput(Bytes bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  template <typename T>
  T number() {
    T value{};
    const Bytes part = bytes(sizeof value);
    if (!part.empty()) std::memcpy(&value, part.data(), part.size());
    return value;
  }
  std::uint8_t byte() { return number<std::uint8_t>(); }
  Bytes bytes(std::size_t size) {
    const Bytes part = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return part;
  }
  // Overwrites places of `memory` with bytes of the input: a count, then {offset (2 bytes), value}.
  void patch(MutableBytes memory) {
    for (int left = byte() % 16; left > 0 && !memory.empty(); --left) {
      const auto offset = number<std::uint16_t>();
      memory[offset % memory.size()] = byte();
    }
  }

private:
  Bytes rest_;
};

}  // namespace turnpike::test
