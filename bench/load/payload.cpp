// SPDX-License-Identifier: BSD-3-Clause
// Keys, filler and the window.
#include "bench/load/payload.hpp"

#include <algorithm>
#include <cstring>

#include "common/wire/endpoint.hpp"

namespace turnpike::load {
namespace {

// Eight bytes of what follows the stamp.
std::uint64_t filler(std::uint32_t session, std::uint32_t direction, std::size_t offset) noexcept {
  return wire::mix((std::uint64_t{session} << 1 | direction) << 16 | offset);
}

}  // namespace

std::uint32_t key_of(std::uint32_t session, std::uint32_t direction) noexcept {
  return static_cast<std::uint32_t>(wire::mix(std::uint64_t{session} << 1 | direction) >> 32);
}

std::vector<std::uint8_t> make_payload(const Stamp& stamp, std::size_t size) {
  std::vector<std::uint8_t> payload(size);
  std::memcpy(payload.data(), &stamp, sizeof stamp);
  for (std::size_t at = sizeof stamp; at < size; at += 8) {
    const std::uint64_t word = filler(stamp.session, stamp.direction, at);
    std::memcpy(payload.data() + at, &word, std::min<std::size_t>(8, size - at));
  }
  return payload;
}

bool filler_right(Bytes payload, const Stamp& stamp) noexcept {
  for (std::size_t at = sizeof stamp; at < payload.size(); at += 8) {
    const std::uint64_t word = filler(stamp.session, stamp.direction, at);
    if (std::memcmp(payload.data() + at, &word, std::min<std::size_t>(8, payload.size() - at)) != 0) {
      return false;
    }
  }
  return true;
}

bool SequenceWindow::take(std::uint32_t sequence) noexcept {
  if (sequence >= top_) {
    const std::uint32_t shift = sequence - top_ + 1;
    seen_ = (shift < 64 ? seen_ << shift : 0) | 1;
    top_ = sequence + 1;
    return true;
  }
  const std::uint32_t age = top_ - 1 - sequence;
  if (age >= 64 || (seen_ >> age & 1) != 0) return false;
  seen_ |= std::uint64_t{1} << age;
  return true;
}

}  // namespace turnpike::load
