// SPDX-License-Identifier: BSD-3-Clause
// IPv6 header and fragment header (RFC 8200 sections 3 and 4.5).
#pragma once

#include "common/wire/endian.hpp"

namespace turnpike::wire {

inline constexpr std::uint8_t kNextHeaderHopByHop = 0;
inline constexpr std::uint8_t kNextHeaderRouting = 43;
inline constexpr std::uint8_t kNextHeaderFragment = 44;
inline constexpr std::uint8_t kNextHeaderIcmpv6 = 58;
inline constexpr std::uint8_t kNextHeaderNone = 59;
inline constexpr std::uint8_t kNextHeaderDestination = 60;

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-------+-----------+---+---------------------------------------+
//  |version|   DSCP    |ECN|              flow label               |
//  +-------+-----------+---+-------+---------------+---------------+
//  |        payload length         |  next header  |   hop limit   |
//  +-------------------------------+---------------+---------------+
//  |                        source address                         |
//  |                          (128 bits)                           |
//  +---------------------------------------------------------------+
//  |                      destination address                      |
//  |                          (128 bits)                           |
//  +---------------------------------------------------------------+
struct Ipv6Header {
  Be32 version_class_flow;
  Be16 payload_length;
  std::uint8_t next_header;
  std::uint8_t hop_limit;
  std::array<std::uint8_t, 16> source;
  std::array<std::uint8_t, 16> destination;

  static constexpr Be32 first_word(std::uint8_t traffic_class, std::uint32_t flow_label) noexcept {
    return Be32(6U << 28 | std::uint32_t{traffic_class} << 20 | (flow_label & 0xFFFFF));
  }
  constexpr unsigned version() const noexcept { return version_class_flow.host() >> 28; }
  constexpr std::uint8_t traffic_class() const noexcept {
    return static_cast<std::uint8_t>(version_class_flow.host() >> 20);
  }
  constexpr std::uint32_t flow_label() const noexcept { return version_class_flow.host() & 0xFFFFF; }
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +---------------+---------------+-------------------------+---+-+
//  |  next header  |   reserved    |     fragment offset     |res|M|
//  +---------------+---------------+-------------------------+---+-+
//  |                        identification                         |
//  +---------------------------------------------------------------+
struct Ipv6FragmentHeader {
  std::uint8_t next_header;
  std::uint8_t reserved;
  Be16 offset_more;
  Be32 identification;

  // The 13-bit offset counts units of 8 bytes and sits 3 bits up: masking leaves bytes.
  constexpr std::size_t fragment_offset() const noexcept { return offset_more.host() & 0xFFF8; }
  constexpr bool more_fragments() const noexcept { return (offset_more.host() & 1) != 0; }
};
static_assert(sizeof(Ipv6FragmentHeader) == 8 && alignof(Ipv6FragmentHeader) == 1);

}  // namespace turnpike::wire
