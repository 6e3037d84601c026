// SPDX-License-Identifier: BSD-3-Clause
// ICMP and ICMPv6 headers as far as errors and echo need them (RFC 792, RFC 1191, RFC 4443).
#pragma once

#include "common/wire/endian.hpp"

namespace turnpike::wire {

// ICMP (IPv4) types, and the codes of destination unreachable that are told apart.
inline constexpr std::uint8_t kIcmpEchoReply = 0;
inline constexpr std::uint8_t kIcmpUnreachable = 3;
inline constexpr std::uint8_t kIcmpEchoRequest = 8;
inline constexpr std::uint8_t kIcmpTimeExceeded = 11;
inline constexpr std::uint8_t kIcmpParameterProblem = 12;
inline constexpr std::uint8_t kIcmpCodePortUnreachable = 3;
inline constexpr std::uint8_t kIcmpCodeFragmentationNeeded = 4;

// ICMPv6 types; errors are those below 128.
inline constexpr std::uint8_t kIcmpv6Unreachable = 1;
inline constexpr std::uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr std::uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr std::uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr std::uint8_t kIcmpv6EchoRequest = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;
inline constexpr std::uint8_t kIcmpv6NeighborSolicitation = 135;
inline constexpr std::uint8_t kIcmpv6NeighborAdvertisement = 136;

// An error quotes the packet that caused it right behind these eight bytes. The checksum of ICMPv6 covers a
// pseudo header, that of ICMP does not.
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +---------------+---------------+-------------------------------+
//  |     type      |     code      |           checksum            |
//  +---------------+---------------+-------------------------------+
//  |  fragmentation needed: 16 unused bits, 16 bits next-hop MTU   |
//  |  packet too big (v6): 32 bits MTU; other errors: unused       |
//  +---------------------------------------------------------------+
struct IcmpHeader {
  std::uint8_t type;
  std::uint8_t code;
  Be16 checksum;
  Be32 rest;

  constexpr std::uint16_t mtu_v4() const noexcept { return static_cast<std::uint16_t>(rest.host()); }
  constexpr std::uint32_t mtu_v6() const noexcept { return rest.host(); }
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

constexpr bool is_icmpv4_error(std::uint8_t type) noexcept {
  return type == kIcmpUnreachable || type == kIcmpTimeExceeded || type == kIcmpParameterProblem;
}
constexpr bool is_icmpv6_error(std::uint8_t type) noexcept { return type < 128; }

}  // namespace turnpike::wire
