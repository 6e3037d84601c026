// SPDX-License-Identifier: BSD-3-Clause
// IPv4 header (RFC 791).
#pragma once

#include "common/wire/endian.hpp"

namespace turnpike::wire {

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-------+-------+-----------+---+-------------------------------+
//  |version|  IHL  |   DSCP    |ECN|         total length          |
//  +-------+-------+-----------+---+-----+-------------------------+
//  |        identification         |0|D|M|     fragment offset     |
//  +---------------+---------------+-----+-------------------------+
//  |      TTL      |   protocol    |        header checksum        |
//  +---------------+---------------+-------------------------------+
//  |                        source address                         |
//  +---------------------------------------------------------------+
//  |                      destination address                      |
//  +---------------------------------------------------------------+
struct Ipv4Header {
  static constexpr std::uint16_t kDontFragment = 0x4000;
  static constexpr std::uint16_t kMoreFragments = 0x2000;
  static constexpr std::uint16_t kOffsetMask = 0x1FFF;  // in units of 8 bytes
  static constexpr std::uint8_t kVersionIhl = 0x45;     // version 4 without options

  std::uint8_t version_ihl;
  std::uint8_t traffic_class;  // DSCP and ECN
  Be16 total_length;
  Be16 identification;
  Be16 fragment;
  std::uint8_t ttl;
  std::uint8_t protocol;
  Be16 checksum;
  Be32 source;
  Be32 destination;

  constexpr unsigned version() const noexcept { return version_ihl >> 4; }
  constexpr std::size_t header_size() const noexcept { return (version_ihl & 0x0FU) * 4U; }
  // First, middle or last piece of a fragmented packet.
  constexpr bool is_fragment() const noexcept {
    return (fragment.host() & (kMoreFragments | kOffsetMask)) != 0;
  }
  constexpr bool dont_fragment() const noexcept { return (fragment.host() & kDontFragment) != 0; }
  constexpr std::size_t fragment_offset() const noexcept {
    return (fragment.host() & kOffsetMask) * std::size_t{8};
  }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

}  // namespace turnpike::wire
