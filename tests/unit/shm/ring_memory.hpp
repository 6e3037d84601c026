// SPDX-License-Identifier: BSD-3-Clause
// A ring in ordinary memory, for tests.
#pragma once

#include <memory>
#include <vector>

#include "common/shm/spsc_ring.hpp"

namespace turnpike::test {

class RingMemory {
public:
  explicit RingMemory(std::uint32_t cells)
      : indices_(std::make_unique<shm::RingIndices>()),
        cells_(std::size_t{cells} * shm::kCellSize),
        count_(cells) {}

  shm::RingView view() { return {indices_.get(), cells_.data(), count_}; }
  shm::RingIndices& indices() { return *indices_; }
  std::vector<std::uint8_t>& cells() { return cells_; }

private:
  std::unique_ptr<shm::RingIndices> indices_;
  std::vector<std::uint8_t> cells_;
  std::uint32_t count_;
};

}  // namespace turnpike::test
