// SPDX-License-Identifier: BSD-3-Clause
// Records in numbered slots with generations. Memory grows in chunks up to the capacity and addresses stay
// put.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace turnpike::turn {

// live -> retired (the packet path may still know it) -> free. Who retires a slot calls release() later.
template <typename T>
class SlotPool {
public:
  explicit SlotPool(std::uint32_t capacity) : capacity_(capacity) {}

  std::uint32_t available() const { return capacity_ - used_; }
  std::uint32_t live_count() const { return live_; }
  std::uint32_t touched() const { return touched_; }  // slots below were used at some time

  // A fresh T with a generation that this slot never had.
  std::optional<std::uint32_t> take() {
    if (used_ == capacity_) return std::nullopt;
    std::uint32_t index;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      index = touch();
    }
    Slot& slot = at(index);
    slot.record = T{};
    if (++slot.generation == 0) slot.generation = 1;  // 0 is never a generation
    slot.live = true;
    ++used_;
    ++live_;
    return index;
  }

  // Only before the first take(), slot by slot from 0: one that a former owner of these numbers had, live or
  // retired. Its record is the caller's to fill. False: beyond the capacity.
  bool adopt(std::uint32_t index, std::uint32_t generation, bool live) {
    if (index != touched_ || index >= capacity_) return false;
    touch();
    Slot& slot = at(index);
    slot.generation = generation;
    slot.live = live;
    ++used_;
    if (live) ++live_;
    return true;
  }

  void retire(std::uint32_t index) {
    at(index).live = false;
    --live_;
  }
  void release(std::uint32_t index) {
    free_.push_back(index);
    --used_;
  }

  T& operator[](std::uint32_t index) { return at(index).record; }
  const T& operator[](std::uint32_t index) const { return at(index).record; }
  std::uint32_t generation(std::uint32_t index) const { return at(index).generation; }
  bool is_live(std::uint32_t index) const { return index < touched_ && at(index).live; }
  bool is_live(std::uint32_t index, std::uint32_t generation) const {
    return index < touched_ && at(index).live && at(index).generation == generation;
  }

  template <typename Visit>  // visit(index)
  void for_each_live(Visit&& visit) const {
    for (std::uint32_t index = 0; index < touched_; ++index) {
      if (at(index).live) visit(index);
    }
  }

private:
  static constexpr std::uint32_t kChunk = 256;
  struct Slot {
    T record;
    std::uint32_t generation = 0;
    bool live = false;
  };
  std::uint32_t touch() {
    if (touched_ % kChunk == 0) chunks_.push_back(std::make_unique<Slot[]>(kChunk));
    return touched_++;
  }
  Slot& at(std::uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  const Slot& at(std::uint32_t index) const { return chunks_[index / kChunk][index % kChunk]; }

  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;  // slots that were ever used
  std::uint32_t used_ = 0;     // live or retired
  std::uint32_t live_ = 0;
  std::vector<std::unique_ptr<Slot[]>> chunks_;
  std::vector<std::uint32_t> free_;
};

}  // namespace turnpike::turn
