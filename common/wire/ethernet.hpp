// SPDX-License-Identifier: BSD-3-Clause
// Ethernet II header and the 802.1Q / 802.1ad tag.
#pragma once

#include "common/wire/endian.hpp"

namespace turnpike::wire {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  constexpr bool is_multicast() const noexcept { return (bytes[0] & 1) != 0; }  // broadcast included
  friend constexpr bool operator==(const MacAddress&, const MacAddress&) noexcept = default;
};
static_assert(sizeof(MacAddress) == 6 && alignof(MacAddress) == 1);

inline constexpr MacAddress kBroadcastMac{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};

// IEEE 802 numbers of what follows the header.
inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;  // 802.1Q
inline constexpr std::uint16_t kEtherTypeQinq = 0x88A8;  // 802.1ad service tag
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86DD;

//  +-----------------------+-----------------------+-----------+
//  |   destination (6)     |      source (6)       | type (2)  |
//  +-----------------------+-----------------------+-----------+
struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Be16 type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

// Follows the type field that announced it (0x8100 or 0x88A8).
//
//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-----+-+-----------------------+-------------------------------+
//  | PCP |D|        VLAN id        |     type of what follows      |
//  +-----+-+-----------------------+-------------------------------+
struct VlanTag {
  Be16 control;
  Be16 type;

  constexpr std::uint16_t id() const noexcept { return control.host() & 0x0FFF; }
};
static_assert(sizeof(VlanTag) == 4 && alignof(VlanTag) == 1);

constexpr bool is_vlan_type(std::uint16_t type) noexcept {
  return type == kEtherTypeVlan || type == kEtherTypeQinq;
}

}  // namespace turnpike::wire
