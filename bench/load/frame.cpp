// SPDX-License-Identifier: BSD-3-Clause
// Lengths, addresses and checksums of arriving frames.
#include "bench/load/frame.hpp"

#include "common/wire/checksum.hpp"

namespace turnpike::load {
namespace {

using wire::Ipv4Header;
using wire::Ipv6Header;

template <typename Header>
Header read(Bytes bytes) noexcept {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

// The UDP datagram inside, empty when this is no such packet; `right` tells of the IP header's checksum.
Bytes parse_ipv4(Bytes packet, Arrival& arrival, bool& right) noexcept {
  if (packet.size() < sizeof(Ipv4Header)) return {};
  const auto ip = read<Ipv4Header>(packet);
  if (ip.version_ihl != Ipv4Header::kVersionIhl || ip.protocol != wire::kProtocolUdp || ip.is_fragment() ||
      ip.total_length.host() != packet.size()) {
    return {};
  }
  right = wire::sum(packet.first(sizeof ip)).fold() == 0xFFFF;
  arrival.source.address = wire::IpAddress::v4_bytes(packet.data() + offsetof(Ipv4Header, source));
  arrival.destination.address = wire::IpAddress::v4_bytes(packet.data() + offsetof(Ipv4Header, destination));
  return packet.subspan(sizeof ip);
}

Bytes parse_ipv6(Bytes packet, Arrival& arrival, bool& right) noexcept {
  if (packet.size() < sizeof(Ipv6Header)) return {};
  const auto ip = read<Ipv6Header>(packet);
  if (ip.version() != 6 || ip.next_header != wire::kProtocolUdp ||
      ip.payload_length.host() != packet.size() - sizeof ip) {
    return {};
  }
  right = true;  // there is none
  arrival.source.address = wire::IpAddress::v6_bytes(ip.source.data());
  arrival.destination.address = wire::IpAddress::v6_bytes(ip.destination.data());
  return packet.subspan(sizeof ip);
}

template <typename Header>
std::uint8_t* put(std::uint8_t* out, const Header& header) noexcept {
  std::memcpy(out, &header, sizeof header);
  return out + sizeof header;
}

std::uint8_t* put_ip(std::uint8_t* out, const Departure& departure, std::size_t udp_size) noexcept {
  constexpr std::uint8_t kTtl = 64;
  const wire::IpAddress& source = departure.source.address;
  const wire::IpAddress& destination = departure.destination.address;
  if (source.is_v4()) {
    Ipv4Header ip{};
    ip.version_ihl = Ipv4Header::kVersionIhl;
    ip.total_length = wire::Be16(static_cast<std::uint16_t>(sizeof ip + udp_size));
    ip.ttl = kTtl;
    ip.protocol = wire::kProtocolUdp;
    std::memcpy(&ip.source, source.bytes.data(), sizeof ip.source);
    std::memcpy(&ip.destination, destination.bytes.data(), sizeof ip.destination);
    ip.checksum = wire::ipv4_header_checksum(ip);
    return put(out, ip);
  }
  Ipv6Header ip{};
  ip.version_class_flow = Ipv6Header::first_word(0, 0);
  ip.payload_length = wire::Be16(static_cast<std::uint16_t>(udp_size));
  ip.next_header = wire::kProtocolUdp;
  ip.hop_limit = kTtl;
  ip.source = source.bytes;
  ip.destination = destination.bytes;
  return put(out, ip);
}

}  // namespace

std::size_t frame_size(const Departure& departure) noexcept {
  const bool v4 = departure.source.address.is_v4();
  return sizeof(wire::EthernetHeader) + (v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)) +
         sizeof(wire::UdpHeader) + departure.payload.size();
}

void write_udp(const Departure& departure, std::uint8_t* out) noexcept {
  const bool v4 = departure.source.address.is_v4();
  out = put(out, wire::EthernetHeader{departure.destination_mac, departure.source_mac,
                                      wire::Be16(v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6)});
  const auto size = static_cast<std::uint16_t>(sizeof(wire::UdpHeader) + departure.payload.size());
  std::uint8_t* const datagram = put_ip(out, departure, size);
  wire::UdpHeader udp{
      wire::Be16(departure.source.port), wire::Be16(departure.destination.port), wire::Be16(size), {}};
  std::uint8_t* const payload = put(datagram, udp);
  std::memcpy(payload, departure.payload.data(), departure.payload.size());
  udp.checksum = wire::udp_pseudo_sum(departure.source.address, departure.destination.address, size)
                     .add(Bytes(datagram, size))
                     .udp_checksum();
  put(datagram, udp);
}

std::optional<Arrival> parse_udp(Bytes frame) noexcept {
  if (frame.size() < sizeof(wire::EthernetHeader)) return std::nullopt;
  const auto ethernet = read<wire::EthernetHeader>(frame);
  const std::uint16_t type = ethernet.type.host();
  if (type != wire::kEtherTypeIpv4 && type != wire::kEtherTypeIpv6) return std::nullopt;
  Arrival arrival;
  arrival.mac = ethernet.destination;
  bool ip_right = false;
  const Bytes packet = frame.subspan(sizeof ethernet);
  const Bytes datagram = type == wire::kEtherTypeIpv4 ? parse_ipv4(packet, arrival, ip_right)
                                                      : parse_ipv6(packet, arrival, ip_right);
  if (datagram.size() < sizeof(wire::UdpHeader)) return std::nullopt;
  const auto udp = read<wire::UdpHeader>(datagram);
  if (udp.length.host() != datagram.size()) return std::nullopt;
  arrival.source.port = udp.source_port.host();
  arrival.destination.port = udp.destination_port.host();
  arrival.payload = datagram.subspan(sizeof udp);
  const wire::ChecksumSum sum =
      wire::udp_pseudo_sum(arrival.source.address, arrival.destination.address, udp.length.host())
          .add(datagram);
  arrival.checksums_right = ip_right && !(udp.checksum == wire::Be16()) && sum.fold() == 0xFFFF;
  return arrival;
}

}  // namespace turnpike::load
