// SPDX-License-Identifier: BSD-3-Clause
// What is relayed: payloads that say whose they are, and the memory of those already seen.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/base/types.hpp"

namespace turnpike::load {

enum Direction : std::uint8_t { kToPeer, kToClient, kDirections };

// How every payload begins; deterministic bytes of the direction fill the rest.
struct Stamp {
  std::uint32_t session;
  std::uint32_t direction;
  std::uint32_t sequence;  // of its session and direction, from 0
  std::uint32_t check;     // of the other four
  std::uint64_t sent_ns;   // when it was made, on the sender's clock
};
static_assert(sizeof(Stamp) == 24);
inline constexpr std::uint16_t kMaxPayload = 1400;

std::uint32_t key_of(std::uint32_t session, std::uint32_t direction) noexcept;
// `key` is that of session and direction. Any one changed bit changes it: the factors are odd.
constexpr std::uint32_t check_of(std::uint32_t key, std::uint32_t sequence, std::uint64_t sent_ns) noexcept {
  return key ^ sequence * 0x9E3779B1U ^ static_cast<std::uint32_t>(sent_ns * 0x9E3779B97F4A7C15U >> 32);
}

// The stamp as it is given, and the filler.
std::vector<std::uint8_t> make_payload(const Stamp& stamp, std::size_t size);
bool filler_right(Bytes payload, const Stamp& stamp) noexcept;

// How an arrival stands to its flow's newest one.
enum class Order : std::uint8_t { kNewest, kReordered, kDuplicate };

// The last kSize sequence numbers of a flow.
class SequenceWindow {
public:
  static constexpr std::uint32_t kSize = 256;

  // Duplicate: it was seen before, or is too old to tell.
  Order take(std::uint32_t sequence) noexcept;
  // One above the highest seen.
  std::uint32_t top() const noexcept { return top_; }

private:
  static constexpr std::uint32_t kWord = 64;

  bool mark(std::uint32_t sequence) noexcept;

  std::uint32_t top_ = 0;
  std::array<std::uint64_t, kSize / kWord> seen_{};  // by sequence modulo kSize
};

}  // namespace turnpike::load
