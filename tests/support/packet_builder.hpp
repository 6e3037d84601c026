// SPDX-License-Identifier: BSD-3-Clause
// Frames for tests: built from named fields, and taken apart again with every checksum verified.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/checksum.hpp"
#include "common/wire/endpoint.hpp"
#include "common/wire/ethernet.hpp"
#include "common/wire/icmp.hpp"

namespace turnpike::test {

using ByteVector = std::vector<std::uint8_t>;

inline ByteVector bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

// What a UDP frame says. Defaults make an ordinary one.
struct UdpFrame {
  wire::Endpoint source;
  wire::Endpoint destination;
  ByteVector payload;
  std::array<std::uint8_t, 6> source_mac{2, 0, 0, 0, 0, 1};
  std::array<std::uint8_t, 6> destination_mac{2, 0, 0, 0, 0, 2};
  std::vector<std::uint16_t> vlans;  // outermost first
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 64;
  bool dont_fragment = false;
  std::uint16_t identification = 0;
  std::uint32_t flow_label = 0;
  enum class Checksum { kRight, kZero, kHalfDone, kWrong } checksum = Checksum::kRight;

  bool checksums_right = false;  // filled by parse_frame
};

inline void append(ByteVector& to, const void* from, std::size_t size) {
  const std::size_t before = to.size();
  to.resize(before + size);
  if (size != 0) std::memcpy(to.data() + before, from, size);
}

inline ByteVector link_header(const UdpFrame& frame) {
  ByteVector out;
  append(out, frame.destination_mac.data(), 6);
  append(out, frame.source_mac.data(), 6);
  for (std::size_t i = 0; i < frame.vlans.size(); ++i) {
    const bool outer = i + 1 < frame.vlans.size();
    const wire::Be16 type(outer ? wire::kEtherTypeQinq : wire::kEtherTypeVlan);
    const wire::Be16 id(frame.vlans[i]);
    append(out, &type, 2);
    append(out, &id, 2);
  }
  const wire::Be16 type(frame.source.address.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  append(out, &type, 2);
  return out;
}

inline ByteVector udp_datagram(const UdpFrame& frame) {
  const auto length = static_cast<std::uint16_t>(sizeof(wire::UdpHeader) + frame.payload.size());
  wire::UdpHeader udp{
      wire::Be16(frame.source.port), wire::Be16(frame.destination.port), wire::Be16(length), {}};
  const wire::ChecksumSum pseudo =
      wire::udp_pseudo_sum(frame.source.address, frame.destination.address, length);
  ByteVector out;
  append(out, &udp, sizeof udp);
  append(out, frame.payload.data(), frame.payload.size());
  switch (frame.checksum) {
    case UdpFrame::Checksum::kRight:
      udp.checksum = wire::ChecksumSum(pseudo).add(Bytes(out)).udp_checksum();
      break;
    case UdpFrame::Checksum::kZero:
      break;
    case UdpFrame::Checksum::kHalfDone:  // what a sender's offload leaves: the pseudo-header's sum
      udp.checksum = wire::Be16(wire::swap_bytes(pseudo.fold()));
      break;
    case UdpFrame::Checksum::kWrong:
      udp.checksum = wire::Be16(wire::ChecksumSum(pseudo).add(Bytes(out)).udp_checksum().host() ^ 0x0101);
      break;
  }
  std::memcpy(out.data(), &udp, sizeof udp);
  return out;
}

// An IP header for `size` bytes of `protocol`.
inline ByteVector ip_header(const UdpFrame& frame, std::uint8_t protocol, std::size_t size,
                            std::uint16_t fragment_field = 0) {
  ByteVector out;
  if (frame.source.address.is_v4()) {
    wire::Ipv4Header ip{};
    ip.version_ihl = wire::Ipv4Header::kVersionIhl;
    ip.traffic_class = frame.traffic_class;
    ip.total_length = wire::Be16(static_cast<std::uint16_t>(sizeof ip + size));
    ip.identification = wire::Be16(frame.identification);
    ip.fragment = wire::Be16(static_cast<std::uint16_t>(
        fragment_field | (frame.dont_fragment ? wire::Ipv4Header::kDontFragment : 0)));
    ip.ttl = frame.ttl;
    ip.protocol = protocol;
    std::memcpy(&ip.source, frame.source.address.bytes.data(), 4);
    std::memcpy(&ip.destination, frame.destination.address.bytes.data(), 4);
    ip.checksum = wire::ipv4_header_checksum(ip);
    append(out, &ip, sizeof ip);
  } else {
    wire::Ipv6Header ip{};
    ip.version_class_flow = wire::Ipv6Header::first_word(frame.traffic_class, frame.flow_label);
    ip.payload_length = wire::Be16(static_cast<std::uint16_t>(size));
    ip.next_header = protocol;
    ip.hop_limit = frame.ttl;
    ip.source = frame.source.address.bytes;
    ip.destination = frame.destination.address.bytes;
    append(out, &ip, sizeof ip);
  }
  return out;
}

inline ByteVector joined(std::initializer_list<ByteVector> parts) {
  ByteVector out;
  for (const ByteVector& part : parts) append(out, part.data(), part.size());
  return out;
}

inline ByteVector build(const UdpFrame& frame) {
  const ByteVector udp = udp_datagram(frame);
  return joined({link_header(frame), ip_header(frame, wire::kProtocolUdp, udp.size()), udp});
}

// An ICMP error about `quoted` (an IP packet), from frame.source to frame.destination.
inline ByteVector build_icmp(const UdpFrame& frame, std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                             const ByteVector& quoted) {
  const bool v4 = frame.source.address.is_v4();
  wire::IcmpHeader icmp{type, code, {}, wire::Be32(rest)};
  ByteVector body;
  append(body, &icmp, sizeof icmp);
  append(body, quoted.data(), quoted.size());
  wire::ChecksumSum sum = wire::sum(Bytes(body));
  if (!v4) {
    sum.add(frame.source.address)
        .add(frame.destination.address)
        .add(wire::Be16(static_cast<std::uint16_t>(body.size())))
        .add(wire::Be16(wire::kNextHeaderIcmpv6));
  }
  icmp.checksum = sum.checksum();
  std::memcpy(body.data(), &icmp, sizeof icmp);
  const std::uint8_t protocol = v4 ? wire::kProtocolIcmp : wire::kNextHeaderIcmpv6;
  return joined({link_header(frame), ip_header(frame, protocol, body.size()), body});
}

// Takes a UDP frame apart; nothing when it is none or its lengths do not fit exactly.
inline std::optional<UdpFrame> parse_frame(const ByteVector& bytes) {
  UdpFrame frame;
  std::size_t at = 14;
  if (bytes.size() < at) return std::nullopt;
  std::memcpy(frame.destination_mac.data(), bytes.data(), 6);
  std::memcpy(frame.source_mac.data(), bytes.data() + 6, 6);
  std::uint16_t type = wire::load_be16(bytes.data() + 12);
  while (wire::is_vlan_type(type)) {
    frame.vlans.push_back(wire::load_be16(bytes.data() + at) & 0x0FFF);
    type = wire::load_be16(bytes.data() + at + 2);
    at += 4;
  }
  const std::uint8_t* ip_bytes = bytes.data() + at;
  bool ip_right = true;
  std::size_t ip_payload = 0;
  if (type == wire::kEtherTypeIpv4) {
    wire::Ipv4Header ip;
    std::memcpy(&ip, ip_bytes, sizeof ip);
    if (ip.protocol != wire::kProtocolUdp || ip.version_ihl != 0x45 || ip.is_fragment()) return std::nullopt;
    ip_right = wire::sum(Bytes(ip_bytes, sizeof ip)).fold() == 0xFFFF;
    frame.source.address = wire::IpAddress::v4_bytes(ip_bytes + 12);
    frame.destination.address = wire::IpAddress::v4_bytes(ip_bytes + 16);
    frame.traffic_class = ip.traffic_class;
    frame.ttl = ip.ttl;
    frame.dont_fragment = ip.dont_fragment();
    frame.identification = ip.identification.host();
    ip_payload = ip.total_length.host() - sizeof ip;
    at += sizeof ip;
  } else if (type == wire::kEtherTypeIpv6) {
    wire::Ipv6Header ip;
    std::memcpy(&ip, ip_bytes, sizeof ip);
    if (ip.next_header != wire::kProtocolUdp) return std::nullopt;
    frame.source.address = wire::IpAddress::v6_bytes(ip.source.data());
    frame.destination.address = wire::IpAddress::v6_bytes(ip.destination.data());
    frame.traffic_class = ip.traffic_class();
    frame.flow_label = ip.flow_label();
    frame.ttl = ip.hop_limit;
    ip_payload = ip.payload_length.host();
    at += sizeof ip;
  } else {
    return std::nullopt;
  }
  if (bytes.size() != at + ip_payload || ip_payload < sizeof(wire::UdpHeader)) return std::nullopt;
  wire::UdpHeader udp;
  std::memcpy(&udp, bytes.data() + at, sizeof udp);
  if (udp.length.host() != ip_payload) return std::nullopt;
  frame.source.port = udp.source_port.host();
  frame.destination.port = udp.destination_port.host();
  const wire::ChecksumSum sum =
      wire::udp_pseudo_sum(frame.source.address, frame.destination.address, udp.length.host())
          .add(Bytes(bytes.data() + at, ip_payload));
  frame.checksums_right = ip_right && !(udp.checksum == wire::Be16()) && sum.fold() == 0xFFFF;
  frame.payload.assign(bytes.begin() + static_cast<std::ptrdiff_t>(at + sizeof udp), bytes.end());
  return frame;
}

}  // namespace turnpike::test
