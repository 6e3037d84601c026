// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 (Aumasson and Bernstein, 2012): a short message's 64-bit MAC in some forty nanoseconds, for
// what a worker makes and checks by itself. The lcores have no OpenSSL, whose contexts would cost more than
// this.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "common/base/types.hpp"

namespace turnpike {

using SipKey = std::array<std::uint8_t, 16>;

namespace detail {

// Words are little endian, as on every machine that DPDK's x86 and ARM drivers run on.
static_assert(std::endian::native == std::endian::little);

struct SipState {
  std::uint64_t a, b, c, d;

  constexpr void round() noexcept {
    a += b;
    c += d;
    b = std::rotl(b, 13) ^ a;
    d = std::rotl(d, 16) ^ c;
    a = std::rotl(a, 32);
    c += b;
    a += d;
    b = std::rotl(b, 17) ^ c;
    d = std::rotl(d, 21) ^ a;
    c = std::rotl(c, 32);
  }
  constexpr void take(std::uint64_t word) noexcept {
    d ^= word;
    round();
    round();
    a ^= word;
  }
};

}  // namespace detail

inline std::uint64_t siphash(const SipKey& key, Bytes message) noexcept {
  std::array<std::uint64_t, 2> k;
  std::memcpy(k.data(), key.data(), sizeof k);
  detail::SipState state{k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261,
                         k[1] ^ 0x7465646279746573};
  std::size_t at = 0;
  for (; at + 8 <= message.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, message.data() + at, sizeof word);
    state.take(word);
  }
  std::uint64_t last = std::uint64_t{message.size()} << 56;
  for (std::size_t i = at; i < message.size(); ++i) last |= std::uint64_t{message[i]} << 8 * (i - at);
  state.take(last);
  state.c ^= 0xFF;
  for (int i = 0; i < 4; ++i) state.round();
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace turnpike
