// SPDX-License-Identifier: BSD-3-Clause
// What the first byte of a datagram on a client-facing port says (RFC 7983 section 7, RFC 8656 section 12).
// Datagrams on relayed ports are opaque and never come here.
#pragma once

#include <cstdint>

namespace turnpike::stun {

enum class FirstByte : std::uint8_t {
  kStun,           // 0-3
  kDtls,           // 20-63
  kChannelData,    // 64-79: channels 0x4000-0x4FFF
  kCompatChannel,  // 80-127: channels 0x5000-0x7FFF of RFC 5766, dropped unless they are switched on
  kDrop,           // unassigned, ZRTP, RTP and RTCP, QUIC
};

constexpr FirstByte classify_first_byte(std::uint8_t byte) noexcept {
  if (byte <= 3) return FirstByte::kStun;
  if (byte >= 64 && byte <= 79) return FirstByte::kChannelData;
  if (byte >= 80 && byte <= 127) return FirstByte::kCompatChannel;
  if (byte >= 20 && byte <= 63) return FirstByte::kDtls;
  return FirstByte::kDrop;
}

}  // namespace turnpike::stun
