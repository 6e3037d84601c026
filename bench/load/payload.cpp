// SPDX-License-Identifier: BSD-3-Clause
// Keys, filler and the window.
#include "bench/load/payload.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/wire/endpoint.hpp"

namespace turnpike::load {
namespace {

// Eight bytes of what follows the stamp. The same in all sessions: whose a payload is says the stamp.
std::uint64_t filler(std::uint32_t direction, std::size_t offset) noexcept {
  return wire::mix(std::uint64_t{direction} << 16 | offset);
}

}  // namespace

std::uint32_t key_of(std::uint32_t session, std::uint32_t direction) noexcept {
  return static_cast<std::uint32_t>(wire::mix(std::uint64_t{session} << 1 | direction) >> 32);
}

std::vector<std::uint8_t> make_payload(const Stamp& stamp, std::size_t size) {
  std::vector<std::uint8_t> payload(size);
  std::memcpy(payload.data(), &stamp, sizeof stamp);
  for (std::size_t at = sizeof stamp; at < size; at += 8) {
    const std::uint64_t word = filler(stamp.direction, at);
    std::memcpy(payload.data() + at, &word, std::min<std::size_t>(8, size - at));
  }
  return payload;
}

bool filler_right(Bytes payload, const Stamp& stamp) noexcept {
  for (std::size_t at = sizeof stamp; at < payload.size(); at += 8) {
    const std::uint64_t word = filler(stamp.direction, at);
    if (std::memcmp(payload.data() + at, &word, std::min<std::size_t>(8, payload.size() - at)) != 0) {
      return false;
    }
  }
  return true;
}

// Whether it was not marked yet.
bool SequenceWindow::mark(std::uint32_t sequence) noexcept {
  std::uint64_t& word = seen_[sequence % kSize / kWord];
  const std::uint64_t bit = std::uint64_t{1} << sequence % kWord;
  return (std::exchange(word, word | bit) & bit) == 0;
}

Order SequenceWindow::take(std::uint32_t sequence) noexcept {
  if (sequence < top_) {
    const bool told = top_ - sequence <= kSize;
    return told && mark(sequence) ? Order::kReordered : Order::kDuplicate;
  }
  // What is new to the window has not been seen.
  const std::uint32_t first = sequence - top_ < kSize ? top_ : sequence - kSize + 1;
  for (std::uint32_t at = first; at != sequence; ++at) {
    seen_[at % kSize / kWord] &= ~(std::uint64_t{1} << at % kWord);
  }
  top_ = sequence + 1;
  seen_[sequence % kSize / kWord] |= std::uint64_t{1} << sequence % kWord;
  return Order::kNewest;
}

}  // namespace turnpike::load
