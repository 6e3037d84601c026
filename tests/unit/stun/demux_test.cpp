// SPDX-License-Identifier: BSD-3-Clause
// All 256 first bytes.
#include "common/stun/demux.hpp"

#include <gtest/gtest.h>

namespace turnpike::stun {
namespace {

void expect_range(int first, int last, FirstByte kind) {
  for (int byte = first; byte <= last; ++byte) {
    EXPECT_EQ(classify_first_byte(static_cast<std::uint8_t>(byte)), kind) << byte;
  }
}

TEST(StunDemux, C002_demux_stun_and_channel) {
  expect_range(0, 3, FirstByte::kStun);
  expect_range(64, 79, FirstByte::kChannelData);
}

TEST(StunDemux, C003_dtls_range) { expect_range(20, 63, FirstByte::kDtls); }

TEST(StunDemux, C004_demux_reserved_dropped) {
  expect_range(4, 19, FirstByte::kDrop);
  expect_range(80, 127, FirstByte::kCompatChannel);
  expect_range(128, 255, FirstByte::kDrop);
}

}  // namespace
}  // namespace turnpike::stun
