// SPDX-License-Identifier: BSD-3-Clause
// Headers in front of what recvmsg delivered, and out of what goes to sendmsg.
#include "dataplane/port/socket_frames.hpp"

#include "common/wire/checksum.hpp"
#include "common/wire/ethernet.hpp"
#include "common/wire/icmp.hpp"
#include "common/wire/ipv4.hpp"
#include "common/wire/ipv6.hpp"
#include "common/wire/udp.hpp"

namespace turnpike::dataplane {
namespace {

using wire::Be16;
using wire::Be32;

constexpr std::size_t kLink = sizeof(wire::EthernetHeader);
constexpr std::size_t kUdp = sizeof(wire::UdpHeader);
// Any number but zero, which would mean "none": nobody looks at it (Lcore::kernel_sockets).
const Be16 kSomeChecksum(0xFFFF);

std::size_t ip_header_size(const wire::IpAddress& address) noexcept {
  return address.is_v4() ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header);
}

std::uint8_t* write_ip(std::uint8_t* at, const wire::IpAddress& from, const wire::IpAddress& to,
                       const SocketIpFields& fields, std::uint8_t protocol, std::size_t size) noexcept {
  if (from.is_v4()) {
    wire::Ipv4Header ip{};
    ip.version_ihl = wire::Ipv4Header::kVersionIhl;
    ip.traffic_class = fields.traffic_class;
    ip.total_length = Be16(static_cast<std::uint16_t>(sizeof ip + size));
    ip.ttl = fields.ttl;
    ip.protocol = protocol;
    std::memcpy(&ip.source, from.bytes.data(), 4);
    std::memcpy(&ip.destination, to.bytes.data(), 4);
    ip.checksum = wire::ipv4_header_checksum(ip);
    std::memcpy(at, &ip, sizeof ip);
    return at + sizeof ip;
  }
  wire::Ipv6Header ip{};
  ip.version_class_flow = wire::Ipv6Header::first_word(fields.traffic_class, 0);
  ip.payload_length = Be16(static_cast<std::uint16_t>(size));
  ip.next_header = protocol;
  ip.hop_limit = fields.ttl;
  ip.source = from.bytes;
  ip.destination = to.bytes;
  std::memcpy(at, &ip, sizeof ip);
  return at + sizeof ip;
}

std::uint8_t* write_udp(std::uint8_t* at, std::uint16_t from, std::uint16_t to,
                        std::size_t payload) noexcept {
  const wire::UdpHeader udp{Be16(from), Be16(to), Be16(static_cast<std::uint16_t>(kUdp + payload)),
                            kSomeChecksum};
  std::memcpy(at, &udp, sizeof udp);
  return at + sizeof udp;
}

// Room for a frame, its Ethernet header written; null when the mbuf is too small.
std::uint8_t* begin_frame(rte_mbuf* mbuf, bool v4, std::size_t size) noexcept {
  if (size > rte_pktmbuf_tailroom(mbuf)) return nullptr;
  auto* at = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  mbuf->data_len = static_cast<std::uint16_t>(size);
  mbuf->pkt_len = mbuf->data_len;
  std::memset(at, 0, kLink - 2);
  wire::store_be16(at + kLink - 2, v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  return at + kLink;
}

void finish_icmp(std::uint8_t* icmp, const SocketError& error, std::size_t size) noexcept {
  wire::ChecksumSum sum = wire::sum(Bytes(icmp, size));
  if (!error.offender.is_v4()) {  // RFC 4443 section 2.3
    sum = wire::ChecksumSum()
              .add(Bytes(error.offender.bytes))
              .add(Bytes(error.from.address.bytes))
              .add(Be16(static_cast<std::uint16_t>(size)))
              .add(Be16(wire::kNextHeaderIcmpv6))
              .add(sum);
  }
  const auto checksum = static_cast<std::uint16_t>(~sum.fold());
  std::memcpy(icmp + offsetof(wire::IcmpHeader, checksum), &checksum, sizeof checksum);
}

}  // namespace

bool make_frame(rte_mbuf* mbuf, const wire::Endpoint& from, const wire::Endpoint& to,
                const SocketIpFields& fields, Bytes payload) noexcept {
  const std::size_t transport = kUdp + payload.size();
  std::uint8_t* at =
      begin_frame(mbuf, from.address.is_v4(), kLink + ip_header_size(from.address) + transport);
  if (at == nullptr) return false;
  at = write_ip(at, from.address, to.address, fields, wire::kProtocolUdp, transport);
  at = write_udp(at, from.port, to.port, payload.size());
  if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
  return true;
}

bool make_icmp_frame(rte_mbuf* mbuf, const SocketError& error) noexcept {
  const bool v4 = error.from.address.is_v4();
  const std::size_t ip = ip_header_size(error.from.address);
  const std::size_t size = sizeof(wire::IcmpHeader) + ip + kUdp;
  std::uint8_t* at = begin_frame(mbuf, v4, kLink + ip + size);
  if (at == nullptr) return false;
  std::uint8_t* icmp = write_ip(at, error.offender, error.from.address, {},
                                v4 ? wire::kProtocolIcmp : wire::kNextHeaderIcmpv6, size);
  const wire::IcmpHeader header{error.type, error.code, {}, Be32(error.info)};
  std::memcpy(icmp, &header, sizeof header);
  at = write_ip(icmp + sizeof header, error.from.address, error.to.address, {}, wire::kProtocolUdp, kUdp);
  write_udp(at, error.from.port, error.to.port, 0);
  finish_icmp(icmp, error, size);
  return true;
}

bool read_frame(const rte_mbuf* mbuf, SocketDatagram& datagram) noexcept {
  // Stages wrote this frame, with one link header of fixed size and no IP options.
  const auto* at = rte_pktmbuf_mtod_offset(mbuf, const std::uint8_t*, kLink);
  const std::size_t size = mbuf->data_len;
  const bool v4 = (at[0] >> 4) == 4;
  const std::size_t headers = kLink + (v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header)) + kUdp;
  if (mbuf->nb_segs != 1 || size < headers) return false;
  if (v4) {
    const auto& ip = *reinterpret_cast<const wire::Ipv4Header*>(at);
    if (ip.protocol != wire::kProtocolUdp) return false;
    datagram.from.address = wire::IpAddress::v4_bytes(reinterpret_cast<const std::uint8_t*>(&ip.source));
    datagram.to.address = wire::IpAddress::v4_bytes(reinterpret_cast<const std::uint8_t*>(&ip.destination));
    datagram.fields = {ip.ttl, ip.traffic_class, ip.dont_fragment()};
  } else {
    const auto& ip = *reinterpret_cast<const wire::Ipv6Header*>(at);
    if (ip.next_header != wire::kProtocolUdp) return false;
    datagram.from.address = wire::IpAddress::v6_bytes(ip.source.data());
    datagram.to.address = wire::IpAddress::v6_bytes(ip.destination.data());
    datagram.fields = {ip.hop_limit, ip.traffic_class(), false};
  }
  const std::uint8_t* udp = rte_pktmbuf_mtod_offset(mbuf, const std::uint8_t*, headers - kUdp);
  datagram.from.port = wire::load_be16(udp);
  datagram.to.port = wire::load_be16(udp + 2);
  datagram.payload = Bytes(udp + kUdp, size - headers);
  return true;
}

}  // namespace turnpike::dataplane
