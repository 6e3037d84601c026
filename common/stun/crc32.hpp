// SPDX-License-Identifier: BSD-3-Clause
// The CRC-32 of FINGERPRINT (polynomial 0x04C11DB7 reflected, as in Ethernet and zlib), eight bytes a step.
#pragma once

#include <array>
#include <cstring>

#include "common/base/types.hpp"

namespace turnpike::stun {

namespace detail {
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b] is the CRC of byte b followed by k zero bytes.
constexpr CrcTables make_crc_tables() noexcept {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t previous = tables[k - 1][byte];
      tables[k][byte] = (previous >> 8) ^ tables[0][previous & 0xFF];
    }
  }
  return tables;
}
inline constexpr CrcTables kCrcTables = make_crc_tables();
}  // namespace detail

inline std::uint32_t crc32(Bytes data) noexcept {
  const auto& t = detail::kCrcTables;
  std::uint32_t crc = 0xFFFFFFFF;
  const std::uint8_t* at = data.data();
  std::size_t left = data.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint32_t low;
    std::uint32_t high;
    std::memcpy(&low, at, 4);  // little-endian host, asserted in common/wire/endian.hpp
    std::memcpy(&high, at + 4, 4);
    low ^= crc;
    crc = t[7][low & 0xFF] ^ t[6][low >> 8 & 0xFF] ^ t[5][low >> 16 & 0xFF] ^ t[4][low >> 24] ^
          t[3][high & 0xFF] ^ t[2][high >> 8 & 0xFF] ^ t[1][high >> 16 & 0xFF] ^ t[0][high >> 24];
  }
  for (; left > 0; --left, ++at) crc = (crc >> 8) ^ t[0][(crc ^ *at) & 0xFF];
  return ~crc;
}

inline constexpr std::uint32_t kFingerprintXor = 0x5354554E;  // "STUN", RFC 8489 section 14.7

}  // namespace turnpike::stun
