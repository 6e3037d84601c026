// SPDX-License-Identifier: BSD-3-Clause
// Headers in front of a payload. They are composed in registers and stored in words that do not overlap: what
// is stored in parts and then read as a whole, for a checksum or a copy, waits for the stores.
#pragma once

#include "common/wire/checksum.hpp"
#include "common/wire/ethernet.hpp"
#include "dataplane/lcore.hpp"
#include "dataplane/outgoing.hpp"

namespace turnpike::dataplane {

inline void store_word(std::uint8_t* at, wire::Be32 word) noexcept { std::memcpy(at, &word, sizeof word); }

// `finished` is the template's header.
inline void write_udp(std::uint8_t* at, const std::uint8_t* finished, const Outgoing& out) noexcept {
  constexpr std::size_t kDestination = offsetof(wire::UdpHeader, destination_port);
  constexpr std::size_t kLength = offsetof(wire::UdpHeader, length);
  std::memcpy(at, finished, kLength);  // ports
  if (!(out.peer_port == wire::Be16())) std::memcpy(at + kDestination, &out.peer_port, sizeof out.peer_port);
  store_word(at + kLength,
             wire::Be32(std::uint32_t{udp_length(out.size).host()} << 16 | out.checksum.host()));
}

inline void write_ipv4(std::uint16_t identification, std::uint8_t* at, const Flow& flow,
                       const Outgoing& out) noexcept {
  using wire::Be32;
  const std::uint16_t fragment = out.dont_fragment ? wire::Ipv4Header::kDontFragment : 0;
  const Be32 first(std::uint32_t{wire::Ipv4Header::kVersionIhl} << 24 |
                   std::uint32_t{out.traffic_class} << 16 |
                   static_cast<std::uint32_t>(kIpv4Headers + out.size));
  const Be32 second(std::uint32_t{identification} << 16 | fragment);
  const std::uint32_t third = std::uint32_t{out.ttl} << 24 | std::uint32_t{wire::kProtocolUdp} << 16;
  std::array<Be32, 2> addresses;
  std::memcpy(addresses.data(), flow.header.data() + offsetof(wire::Ipv4Header, source), sizeof addresses);
  const wire::Be16 checksum = wire::ChecksumSum()
                                  .add(first)
                                  .add(second)
                                  .add(Be32(third))
                                  .add(addresses[0])
                                  .add(addresses[1])
                                  .checksum();
  store_word(at, first);
  store_word(at + 4, second);
  store_word(at + 8, Be32(third | checksum.host()));
  std::memcpy(at + offsetof(wire::Ipv4Header, source), addresses.data(), sizeof addresses);
}

inline void write_ipv6(std::uint8_t* at, const Flow& flow, const Outgoing& out) noexcept {
  using wire::Be32;
  Be32 first;  // version and flow label
  std::memcpy(&first, flow.header.data(), sizeof first);
  store_word(at, Be32(first.host() | std::uint32_t{out.traffic_class} << 20));
  store_word(at + 4, Be32(std::uint32_t{udp_length(out.size).host()} << 16 |
                          std::uint32_t{wire::kProtocolUdp} << 8 | out.ttl));
  constexpr std::size_t kAddresses = offsetof(wire::Ipv6Header, source);
  std::memcpy(at + kAddresses, flow.header.data() + kAddresses, sizeof(wire::Ipv6Header) - kAddresses);
}

// IP and UDP header in front of the payload; returns where the IP header starts.
[[gnu::always_inline]] inline std::uint8_t* write_headers(Lcore& lcore, const Flow& flow,
                                                          const Outgoing& out) noexcept {
  std::uint8_t* udp = out.payload - kUdpHeader;
  if (flow.is_v4()) {
    std::uint8_t* ip = udp - sizeof(wire::Ipv4Header);
    write_udp(udp, flow.header.data() + sizeof(wire::Ipv4Header), out);
    write_ipv4(static_cast<std::uint16_t>(lcore.identification++), ip, flow, out);
    return ip;
  }
  std::uint8_t* ip = udp - sizeof(wire::Ipv6Header);
  write_udp(udp, flow.header.data() + sizeof(wire::Ipv6Header), out);
  write_ipv6(ip, flow, out);
  return ip;
}

inline void write_link_header(std::uint8_t* frame, const NextHopEntry& hop, bool v4) noexcept {
  constexpr std::size_t kAddresses = offsetof(wire::EthernetHeader, type);
  std::memcpy(frame, hop.header.data(), kAddresses);
  if (hop.header_size != sizeof(wire::EthernetHeader)) [[unlikely]] {  // tags
    std::memcpy(frame + kAddresses, hop.header.data() + kAddresses, hop.header_size - kAddresses);
  }
  wire::store_be16(frame + hop.header_size - 2, v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
}

// Makes the mbuf's data exactly [start, end).
inline void set_data(rte_mbuf* mbuf, const std::uint8_t* start, const std::uint8_t* end) noexcept {
  mbuf->data_off = static_cast<std::uint16_t>(start - static_cast<std::uint8_t*>(mbuf->buf_addr));
  mbuf->data_len = static_cast<std::uint16_t>(end - start);
  mbuf->pkt_len = mbuf->data_len;
  mbuf->ol_flags = 0;
}

}  // namespace turnpike::dataplane
