// SPDX-License-Identifier: BSD-3-Clause
// Checksum carry-over, IP fields, headers in front of payloads, transmit queues.
#include "dataplane/rewrite.hpp"

#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;
using wire::Be16;
using wire::ChecksumSum;

constexpr std::uint16_t kUdpHeader = sizeof(wire::UdpHeader);
constexpr std::uint16_t kIpv4Headers = sizeof(wire::Ipv4Header) + kUdpHeader;
constexpr std::uint16_t kIpv6Headers = sizeof(wire::Ipv6Header) + kUdpHeader;
constexpr std::uint16_t kIpv6MinimumMtu = 1280;  // RFC 8200 section 5
constexpr std::uint16_t kTranslatedLimit =
    1260;  // RFC 7915 section 5.1: an IPv4 packet that IPv6 carries everywhere

Be16 udp_length(std::size_t payload) noexcept {
  return Be16(static_cast<std::uint16_t>(kUdpHeader + payload));
}

ChecksumSum outgoing_sum(const Flow& flow, const Outgoing& out) noexcept {
  const Be16 length = udp_length(out.size);
  return ChecksumSum()
      .add(Be16(wire::swap_bytes(flow.pseudo_sum)))
      .add(out.peer_port)
      .add(length)
      .add(length);
}

void write_ipv4(Lcore& lcore, std::uint8_t* at, const Flow& flow, const Outgoing& out) noexcept {
  wire::Ipv4Header ip;
  std::memcpy(&ip, flow.header.data(), sizeof ip);
  ip.traffic_class = out.traffic_class;
  ip.total_length = Be16(static_cast<std::uint16_t>(kIpv4Headers + out.size));
  ip.identification = Be16(static_cast<std::uint16_t>(lcore.identification++));
  ip.fragment = Be16(out.dont_fragment ? wire::Ipv4Header::kDontFragment : 0);
  ip.ttl = out.ttl;
  ip.checksum = wire::ipv4_header_checksum(ip);
  std::memcpy(at, &ip, sizeof ip);
}

void write_ipv6(std::uint8_t* at, const Flow& flow, const Outgoing& out) noexcept {
  wire::Ipv6Header ip;
  std::memcpy(&ip, flow.header.data(), sizeof ip);
  ip.version_class_flow = wire::Be32(ip.version_class_flow.host() | std::uint32_t{out.traffic_class} << 20);
  ip.payload_length = udp_length(out.size);
  ip.hop_limit = out.ttl;
  std::memcpy(at, &ip, sizeof ip);
}

void write_udp(std::uint8_t* at, const std::uint8_t* finished, const Outgoing& out) noexcept {
  wire::UdpHeader udp;
  std::memcpy(&udp, finished, sizeof udp);
  if (!(out.peer_port == Be16())) udp.destination_port = out.peer_port;
  udp.length = udp_length(out.size);
  udp.checksum = out.checksum;
  std::memcpy(at, &udp, sizeof udp);
}

// IP and UDP header in front of the payload; returns where the IP header starts.
std::uint8_t* write_headers(Lcore& lcore, const Flow& flow, const Outgoing& out) noexcept {
  std::uint8_t* udp = out.payload - kUdpHeader;
  if (flow.is_v4()) {
    std::uint8_t* ip = udp - sizeof(wire::Ipv4Header);
    write_udp(udp, flow.header.data() + sizeof(wire::Ipv4Header), out);
    write_ipv4(lcore, ip, flow, out);
    return ip;
  }
  std::uint8_t* ip = udp - sizeof(wire::Ipv6Header);
  write_udp(udp, flow.header.data() + sizeof(wire::Ipv6Header), out);
  write_ipv6(ip, flow, out);
  return ip;
}

// Makes the mbuf's data exactly [start, end).
void set_data(rte_mbuf* mbuf, const std::uint8_t* start, const std::uint8_t* end) noexcept {
  mbuf->data_off = static_cast<std::uint16_t>(start - static_cast<std::uint8_t*>(mbuf->buf_addr));
  mbuf->data_len = static_cast<std::uint16_t>(end - start);
  mbuf->pkt_len = mbuf->data_len;
  mbuf->ol_flags = 0;
}

std::uint32_t ip_size(const Flow& flow, std::uint16_t payload) noexcept {
  return std::uint32_t{payload} + (flow.is_v4() ? kIpv4Headers : kIpv6Headers);
}

void finish_frame(Lcore& lcore, rte_mbuf* mbuf, std::uint8_t* ip, const Outgoing& out,
                  const NextHopEntry& hop) noexcept {
  std::uint8_t* frame = ip - hop.header_size;
  set_data(mbuf, frame, out.payload + out.size);
  write_link_header(frame, hop, (ip[0] >> 4) == 4);
  transmit(lcore, hop.port, mbuf);
}

bool may_fragment(const Packet& packet) noexcept {
  return packet.v4 ? !packet.dont_fragment : packet.fragmented;
}

// The largest IP packet that leaves whole. Across families and for reassembled IPv6, a packet that may be
// fragmented is cut to 1280 bytes, because nobody would tell an IPv4 sender about a narrower IPv6 link (RFC
// 7915 sections 4.1, 5.1).
std::uint32_t size_limit(const Lcore& lcore, const Packet& packet, const Flow& flow,
                         std::uint16_t mtu) noexcept {
  if (lcore.kernel_sockets) return mtu;  // the kernel fragments, and knows the path's MTU
  return packet.v4 && !flow.is_v4() && may_fragment(packet) ? std::min(mtu, kIpv6MinimumMtu) : mtu;
}

constexpr std::uint16_t kAnyMtu = 0xFFFF;

bool has_link(const Flow& flow) noexcept { return flow.next_hop != kHairpin && flow.next_hop != kToControl; }

}  // namespace

ChecksumSum sum_behind(Bytes bytes, std::size_t before) noexcept {
  const ChecksumSum sum = wire::sum(bytes);
  return (before & 1) != 0 ? ChecksumSum().add(Be16(sum.fold())) : sum;
}

bool half_done(const Packet& packet) noexcept {
  const Be16 length = udp_length(packet.payload_size);
  return ChecksumSum(packet.addresses).add(length).fold() == packet.checksum.raw();
}

bool acceptable_checksum(const Packet& packet) noexcept {
  if (packet.checksum == Be16()) return packet.v4;
  if (half_done(packet)) return true;
  const Bytes datagram(packet.payload - kUdpHeader, std::size_t{packet.payload_size} + kUdpHeader);
  return ChecksumSum(packet.addresses).add(udp_length(packet.payload_size)).add(datagram).fold() == 0xFFFF;
}

Be16 computed_checksum(const Flow& flow, const Outgoing& out) noexcept {
  return outgoing_sum(flow, out).add(Bytes(out.payload, out.size)).udp_checksum();
}

Be16 carried_checksum(Lcore& lcore, const Packet& packet, const Flow& flow, const Outgoing& out,
                      ChecksumSum removed, ChecksumSum added) noexcept {
  if (lcore.kernel_sockets || flow.next_hop == kToControl) return {};  // made by the kernel, or of no use
  if (packet.checksum == Be16() || half_done(packet)) {
    lcore.count(Counter::k_checksum_recomputed);
    return computed_checksum(flow, out);
  }
  const Be16 length = udp_length(packet.payload_size);
  removed.add(packet.addresses)
      .add(Be16(packet.key.remote_port))
      .add(Be16(packet.key.local_port))
      .add(length)
      .add(length);
  return wire::ChecksumUpdate(packet.checksum)
      .remove(removed)
      .add(outgoing_sum(flow, out).add(added))
      .finish_udp();
}

void copy_ip_fields(const Packet& packet, const Flow& flow, Outgoing& out) noexcept {
  out.traffic_class = packet.traffic_class;  // DSCP and ECN, across families too
  out.ttl = packet.ttl - 1;
  if (packet.v4) {
    out.dont_fragment = packet.dont_fragment;
  } else {  // RFC 7915 section 5.1: a packet that was never fragmented keeps that property above 1260 bytes
    out.dont_fragment = !packet.fragmented && ip_size(flow, out.size) > kTranslatedLimit;
  }
}

bool admit(Lcore& lcore, const Packet& packet, const Flow& flow, std::uint16_t size) noexcept {
  std::uint16_t mtu = kAnyMtu;
  if (has_link(flow)) {
    const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
    if (hop == nullptr) {
      lcore.drop(packet.mbuf, DropReason::k_next_hop_unresolved);
      return false;
    }
    mtu = hop->mtu;
  }
  if (ip_size(flow, size) <= mtu || may_fragment(packet)) return true;
  report_too_big(lcore, packet, mtu, flow.is_v4());
  lcore.drop(packet.mbuf, DropReason::k_too_big);
  return false;
}

void emit(Lcore& lcore, const Packet& packet, const Flow& flow, const Outgoing& out) noexcept {
  rte_mbuf* mbuf = packet.mbuf;
  if (flow.next_hop == kToControl) {
    give_to_client(lcore, flow.allocation, Bytes(out.payload, out.size));
    return lcore.release(mbuf);
  }
  const auto* buffer = static_cast<std::uint8_t*>(mbuf->buf_addr);
  // Room for the largest headers: ports keep RTE_PKTMBUF_HEADROOM in front of every frame, but that is their
  // promise.
  if (out.payload - buffer < static_cast<std::ptrdiff_t>(kIpv6Headers + kMaxLinkHeader)) {
    return lcore.drop(mbuf, DropReason::k_no_mbuf);
  }
  std::uint8_t* ip = write_headers(lcore, flow, out);
  if (flow.next_hop == kHairpin) {
    set_data(mbuf, ip, out.payload + out.size);
    return hairpin(lcore, mbuf);
  }
  const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
  if (hop == nullptr) return lcore.drop(mbuf, DropReason::k_next_hop_unresolved);
  if (ip_size(flow, out.size) > size_limit(lcore, packet, flow, hop->mtu)) {
    set_data(mbuf, ip, out.payload + out.size);
    return send_fragments(lcore, mbuf, *hop, flow.is_v4() ? hop->mtu : std::min(hop->mtu, kIpv6MinimumMtu));
  }
  finish_frame(lcore, mbuf, ip, out, *hop);
}

void emit_to(Lcore& lcore, rte_mbuf* mbuf, const Flow& flow, const Outgoing& out,
             const NextHopEntry& hop) noexcept {
  finish_frame(lcore, mbuf, write_headers(lcore, flow, out), out, hop);
}

void write_link_header(std::uint8_t* frame, const NextHopEntry& hop, bool v4) noexcept {
  std::memcpy(frame, hop.header.data(), hop.header_size);
  wire::store_be16(frame + hop.header_size - 2, v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
}

}  // namespace turnpike::dataplane
