// SPDX-License-Identifier: BSD-3-Clause
// A hierarchical timer wheel: insert, cancel and expire in O(1), no memory of its own per timer.
//
// Ticks of 2^27 ns (0.13 s); six levels of 64 slots hold every time that fits in 63 bits of nanoseconds, so
// there is no overflow list. A timer waits on the level of the highest bit in which its tick differs from the
// current tick, and moves down when the wheel gets there. Timers fire up to one tick late, never early: who
// must be exact compares the deadline itself.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "common/base/time.hpp"

namespace turnpike::turn {

using TimerRef = std::uint64_t;
inline constexpr TimerRef kNoTimer = ~TimerRef{0};

// Lives inside the object that is timed.
struct TimerNode {
  static constexpr std::uint16_t kIdle = 0xFFFF;

  TimerRef previous = kNoTimer;
  TimerRef next = kNoTimer;
  std::uint64_t tick = 0;
  std::uint16_t bucket = kIdle;
};

// Nodes finds the node of a reference: TimerNode& timer_node(TimerRef).
template <typename Nodes>
class TimerWheel {
public:
  static constexpr unsigned kTickShift = 27;
  static constexpr Time kTick{std::int64_t{1} << kTickShift};

  explicit TimerWheel(Nodes& nodes) : nodes_(nodes) { heads_.fill(kNoTimer); }

  bool empty() const { return count_ == 0; }

  // Sets or moves a timer.
  void schedule(TimerRef ref, Time deadline) {
    cancel(ref);
    nodes_.timer_node(ref).tick = tick_after(deadline);
    place(ref);
    ++count_;
  }

  void cancel(TimerRef ref) {
    if (nodes_.timer_node(ref).bucket == TimerNode::kIdle) return;
    unlink(ref);
    --count_;
  }

  // When to call advance() next; there may then be nothing to expire yet (timers moving down a level).
  Time next() const {
    const Event event = next_event();
    return event.level == kLevels ? kNever : Time{static_cast<std::int64_t>(event.tick << kTickShift)};
  }

  // Calls expired(ref) for every timer whose tick has come. The callback may schedule and cancel any timer.
  template <typename Expired>
  void advance(Time now, Expired&& expired) {
    const std::uint64_t target =
        now.count() <= 0 ? 0 : std::min(static_cast<std::uint64_t>(now.count()) >> kTickShift, kLastTick - 1);
    while (true) {
      const Event event = next_event();
      if (event.level == kLevels || event.tick > target) break;
      current_ = event.tick;
      empty_slot(event.level * kSlots + slot_of(event.tick, event.level), expired);
    }
    if (target > current_) current_ = target;
  }

private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1u << kBits;
  static constexpr unsigned kLevels = 6;
  static constexpr std::uint64_t kLastTick = (std::uint64_t{1} << (kBits * kLevels)) - 1;
  static constexpr std::uint16_t kMoving = kLevels * kSlots;  // the list that empty_slot() works on

  struct Event {
    std::uint64_t tick = 0;
    unsigned level = kLevels;  // kLevels: none
  };

  static unsigned slot_of(std::uint64_t tick, unsigned level) { return (tick >> (kBits * level)) % kSlots; }

  std::uint64_t tick_after(Time deadline) const {
    const std::uint64_t ns = deadline.count() <= 0 ? 0 : static_cast<std::uint64_t>(deadline.count());
    const std::uint64_t tick = (ns + (std::uint64_t{1} << kTickShift) - 1) >> kTickShift;
    return std::clamp(tick, current_ + 1, kLastTick);
  }

  // Every waiting tick is greater than the current one, so on each level only slots after the current one are
  // in use, and everything on a level comes before everything on the levels above.
  Event next_event() const {
    for (unsigned level = 0; level < kLevels; ++level) {
      if (occupied_[level] == 0) continue;
      const auto slot = static_cast<std::uint64_t>(std::countr_zero(occupied_[level]));
      const unsigned shift = kBits * level;
      const std::uint64_t upper = current_ >> (shift + kBits) << (shift + kBits);
      return {upper | slot << shift, level};
    }
    return {};
  }

  void place(TimerRef ref) {
    const TimerNode& node = nodes_.timer_node(ref);
    const std::uint64_t different = node.tick ^ current_;
    const unsigned level = (static_cast<unsigned>(std::bit_width(different)) - 1) / kBits;
    link(ref, static_cast<std::uint16_t>(level * kSlots + slot_of(node.tick, level)));
  }

  void link(TimerRef ref, std::uint16_t bucket) {
    TimerNode& node = nodes_.timer_node(ref);
    node.bucket = bucket;
    node.previous = kNoTimer;
    node.next = heads_[bucket];
    if (node.next != kNoTimer) nodes_.timer_node(node.next).previous = ref;
    heads_[bucket] = ref;
    if (bucket != kMoving) occupied_[bucket / kSlots] |= std::uint64_t{1} << (bucket % kSlots);
  }

  void unlink(TimerRef ref) {
    TimerNode& node = nodes_.timer_node(ref);
    if (node.next != kNoTimer) nodes_.timer_node(node.next).previous = node.previous;
    if (node.previous != kNoTimer) {
      nodes_.timer_node(node.previous).next = node.next;
    } else {
      heads_[node.bucket] = node.next;
      if (node.next == kNoTimer && node.bucket != kMoving) {
        occupied_[node.bucket / kSlots] &= ~(std::uint64_t{1} << (node.bucket % kSlots));
      }
    }
    node.bucket = TimerNode::kIdle;
  }

  // The slot's timers go to the moving list first, so that callbacks may cancel any of them.
  template <typename Expired>
  void empty_slot(unsigned bucket, Expired& expired) {
    heads_[kMoving] = heads_[bucket];
    heads_[bucket] = kNoTimer;
    occupied_[bucket / kSlots] &= ~(std::uint64_t{1} << (bucket % kSlots));
    for (TimerRef ref = heads_[kMoving]; ref != kNoTimer; ref = nodes_.timer_node(ref).next) {
      nodes_.timer_node(ref).bucket = kMoving;
    }
    while (heads_[kMoving] != kNoTimer) {
      const TimerRef ref = heads_[kMoving];
      unlink(ref);
      if (nodes_.timer_node(ref).tick > current_) {
        place(ref);
      } else {
        --count_;
        expired(ref);
      }
    }
  }

  Nodes& nodes_;
  std::uint64_t current_ = 0;
  std::size_t count_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};  // one bit a slot
  std::array<TimerRef, kLevels * kSlots + 1> heads_;
};

}  // namespace turnpike::turn
