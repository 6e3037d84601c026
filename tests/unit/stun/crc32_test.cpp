// SPDX-License-Identifier: BSD-3-Clause
// The table-driven CRC against the bit-by-bit definition.
#include "common/stun/crc32.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace turnpike::stun {
namespace {

std::uint32_t naive_crc32(Bytes data) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : data) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool odd = ((crc ^ (byte >> bit)) & 1) != 0;
      crc = crc >> 1 ^ (odd ? 0xEDB88320 : 0);
    }
  }
  return ~crc;
}

TEST(Crc32, check_value) {
  const char text[] = "123456789";
  EXPECT_EQ(crc32(Bytes(reinterpret_cast<const std::uint8_t*>(text), 9)), 0xCBF43926U);
  EXPECT_EQ(crc32(Bytes()), 0U);
}

TEST(Crc32, every_length_agrees_with_the_definition) {
  std::mt19937 random(32);
  std::vector<std::uint8_t> bytes(200);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  for (std::size_t start = 0; start < 8; ++start) {
    for (std::size_t size = 0; start + size <= bytes.size(); ++size) {
      const Bytes part = Bytes(bytes).subspan(start, size);
      ASSERT_EQ(crc32(part), naive_crc32(part)) << start << " " << size;
    }
  }
}

}  // namespace
}  // namespace turnpike::stun
