// SPDX-License-Identifier: BSD-3-Clause
// A UDP payload on its way out, and the IP fields that it takes over from the received packet.
#pragma once

#include "common/wire/udp.hpp"
#include "dataplane/batch.hpp"

namespace turnpike::dataplane {

inline constexpr std::uint16_t kUdpHeader = sizeof(wire::UdpHeader);
inline constexpr std::uint16_t kIpv4Headers = sizeof(wire::Ipv4Header) + kUdpHeader;
inline constexpr std::uint16_t kIpv6Headers = sizeof(wire::Ipv6Header) + kUdpHeader;

// A UDP payload somewhere in the mbuf's only segment, and what the flow's template leaves open.
struct Outgoing {
  std::uint8_t* payload = nullptr;
  std::uint16_t size = 0;
  wire::Be16 peer_port;  // 0: as in the template
  wire::Be16 checksum;   // the finished UDP checksum
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 64;
  bool dont_fragment = false;
};

inline wire::Be16 udp_length(std::size_t payload) noexcept {
  return wire::Be16(static_cast<std::uint16_t>(kUdpHeader + payload));
}
inline std::uint32_t ip_size(const Flow& flow, std::uint16_t payload) noexcept {
  return std::uint32_t{payload} + (flow.is_v4() ? kIpv4Headers : kIpv6Headers);
}

// IP fields of relayed data as RFC 8656 sections 13 and 14 want them; hop limit of `packet` less one.
inline void copy_ip_fields(const Packet& packet, const Flow& flow, Outgoing& out) noexcept {
  constexpr std::uint16_t kTranslatedLimit = 1260;  // RFC 7915 section 5.1: IPv6 carries it everywhere
  out.traffic_class = packet.traffic_class;         // DSCP and ECN, across families too
  out.ttl = packet.ttl - 1;
  if (packet.v4) {
    out.dont_fragment = packet.dont_fragment;
  } else {  // RFC 7915 section 5.1: a packet that was never fragmented keeps that property above 1260 bytes
    out.dont_fragment = !packet.fragmented && ip_size(flow, out.size) > kTranslatedLimit;
  }
}

}  // namespace turnpike::dataplane
