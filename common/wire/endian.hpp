// SPDX-License-Identifier: BSD-3-Clause
// Big-endian integers as types: alignment 1, so that packed headers need no attribute and no unaligned load
// is UB.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace turnpike::wire {

static_assert(std::endian::native == std::endian::little, "byte swaps below assume a little-endian host");

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) noexcept {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

// Bytes in network order. bit_cast compiles to one load and bswap, where a shift loop would stay a loop of
// bytes.
template <std::unsigned_integral T>
class BigEndian {
public:
  constexpr BigEndian() = default;
  constexpr explicit BigEndian(T host) noexcept
      : bytes_(std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(swap_bytes(host))) {}

  constexpr T host() const noexcept { return swap_bytes(raw()); }
  constexpr T raw() const noexcept { return std::bit_cast<T>(bytes_); }  // network order in a host integer
  // Comparing the integers is one instruction; a defaulted == on the array would call memcmp.
  friend constexpr bool operator==(BigEndian a, BigEndian b) noexcept { return a.raw() == b.raw(); }

private:
  std::array<std::uint8_t, sizeof(T)> bytes_{};
};

using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;

static_assert(sizeof(Be16) == 2 && alignof(Be16) == 1 && std::is_trivially_copyable_v<Be16>);
static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1 && std::is_trivially_copyable_v<Be32>);
static_assert(sizeof(Be64) == 8 && alignof(Be64) == 1 && std::is_trivially_copyable_v<Be64>);

// Unaligned access to raw bytes; the caller has proved that sizeof(T) bytes are there.
inline std::uint16_t load_be16(const std::uint8_t* bytes) noexcept {
  std::uint16_t value;
  std::memcpy(&value, bytes, sizeof value);
  return swap_bytes(value);
}
inline std::uint32_t load_be32(const std::uint8_t* bytes) noexcept {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return swap_bytes(value);
}
inline void store_be16(std::uint8_t* bytes, std::uint16_t host) noexcept {
  host = swap_bytes(host);
  std::memcpy(bytes, &host, sizeof host);
}
inline void store_be32(std::uint8_t* bytes, std::uint32_t host) noexcept {
  host = swap_bytes(host);
  std::memcpy(bytes, &host, sizeof host);
}

}  // namespace turnpike::wire
