// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 against the authors' vectors: key 00 01 … 0f, message 00 01 … of every length up to 15.
#include "common/base/siphash.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace turnpike {
namespace {

TEST(SipHash, matches_the_authors_vectors) {
  constexpr std::array<std::uint64_t, 16> kExpected{
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
      0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
      0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
      0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
  SipKey key;
  std::iota(key.begin(), key.end(), std::uint8_t{0});
  std::array<std::uint8_t, 16> message;
  std::iota(message.begin(), message.end(), std::uint8_t{0});
  for (std::size_t size = 0; size < kExpected.size(); ++size) {
    EXPECT_EQ(siphash(key, Bytes(message).first(size)), kExpected[size]) << size;
  }
}

}  // namespace
}  // namespace turnpike
