// SPDX-License-Identifier: BSD-3-Clause
// L2 to L4, once: proves every length, finds out which side a packet came from, and what is not for us.
#include <rte_prefetch.h>

#include "common/stun/demux.hpp"
#include "common/wire/ethernet.hpp"
#include "common/wire/icmp.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;
using wire::Ipv4Header;
using wire::Ipv6Header;

// The IP header after its checks.
struct NetworkLayer {
  std::uint8_t* transport = nullptr;  // what follows the IP header and its options
  std::uint32_t transport_size = 0;
  std::uint8_t protocol = 0;
  bool fragment = false;
  AddressWords source;
  AddressWords destination;
};

// RFC 1122 section 3.2.1.3, RFC 4291 section 2.7: these are never the source of a datagram that we could
// answer. Kernel sockets do hear the loopback device.
bool invalid_source(const AddressWords& source, bool v4, bool loopback) noexcept {
  const auto first = static_cast<std::uint8_t>(source.low);
  if (v4) return first == 0 || (first == 127 && !loopback) || first >= 224;
  if (first == 0xFF) return true;
  if (source.low != 0) return false;
  if (source.high == 0) return true;                                            // ::
  if (source.high == wire::swap_bytes(std::uint64_t{1})) return !loopback;      // ::1
  return static_cast<std::uint32_t>(source.high) == wire::swap_bytes(0xFFFFU);  // ::ffff:a.b.c.d
}

// Without options, which is nearly always, the size is a constant and no loop is left.
[[gnu::always_inline]] inline bool right_checksum(const std::uint8_t* ip, std::size_t header) noexcept {
  const bool plain = header == sizeof(Ipv4Header);
  return (plain ? wire::sum(Bytes(ip, sizeof(Ipv4Header))) : wire::sum(Bytes(ip, header))).fold() == 0xFFFF;
}

// RFC 791. The reason, or kCount when all is well.
[[gnu::always_inline]] inline DropReason parse_ipv4(const rte_mbuf* mbuf, std::uint8_t* at,
                                                    std::uint32_t available, Packet& packet,
                                                    NetworkLayer& layer) noexcept {
  if (available < sizeof(Ipv4Header)) return DropReason::k_ipv4_malformed;
  const auto& ip = *reinterpret_cast<const Ipv4Header*>(at);
  const std::size_t header = ip.header_size();
  const std::size_t total = ip.total_length.host();
  if (ip.version() != 4 || header < sizeof(Ipv4Header) || total < header || total > available) {
    return DropReason::k_ipv4_malformed;
  }
  const std::uint64_t nic = mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (nic == RTE_MBUF_F_RX_IP_CKSUM_BAD) return DropReason::k_ipv4_checksum;
  if (nic != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !right_checksum(at, header)) return DropReason::k_ipv4_checksum;
  packet.traffic_class = ip.traffic_class;
  packet.ttl = ip.ttl;
  packet.dont_fragment = ip.dont_fragment();
  packet.addresses = wire::udp_pseudo_sum(ip, 0);
  layer = {at + header,
           static_cast<std::uint32_t>(total - header),
           ip.protocol,
           ip.is_fragment(),
           AddressWords::v4(at + offsetof(Ipv4Header, source)),
           AddressWords::v4(at + offsetof(Ipv4Header, destination))};
  return DropReason::kCount;
}

// RFC 8200. Of the extension headers only Fragment is followed: nothing that relays media sends another.
[[gnu::always_inline]] inline DropReason parse_ipv6(std::uint8_t* at, std::uint32_t available, Packet& packet,
                                                    NetworkLayer& layer) noexcept {
  if (available < sizeof(Ipv6Header)) return DropReason::k_ipv6_malformed;
  const auto& ip = *reinterpret_cast<const Ipv6Header*>(at);
  const std::size_t size = ip.payload_length.host();
  if (ip.version() != 6 || size > available - sizeof(Ipv6Header)) return DropReason::k_ipv6_malformed;
  packet.traffic_class = ip.traffic_class();
  packet.ttl = ip.hop_limit;
  packet.dont_fragment = false;
  packet.addresses = wire::udp_pseudo_sum(ip, 0);
  layer = {at + sizeof(Ipv6Header),
           static_cast<std::uint32_t>(size),
           ip.next_header,
           ip.next_header == wire::kNextHeaderFragment,
           AddressWords::v6(ip.source.data()),
           AddressWords::v6(ip.destination.data())};
  return DropReason::kCount;
}

bool is_icmp_error(const NetworkLayer& layer, bool v4) noexcept {
  if (layer.transport_size < sizeof(wire::IcmpHeader)) return false;
  const std::uint8_t type = layer.transport[0];
  if (v4) return layer.protocol == wire::kProtocolIcmp && wire::is_icmpv4_error(type);
  return layer.protocol == wire::kNextHeaderIcmpv6 && wire::is_icmpv6_error(type);
}

void not_ours(Lcore& lcore, const Packet& packet) noexcept {
  if (packet.hairpin) return lcore.drop(packet.mbuf, DropReason::k_peer_is_service);
  to_host(lcore, packet.mbuf, DropReason::k_no_host_path);
}

// RFC 7983: what kind of message a client sent.
[[gnu::always_inline]] inline void sort_client(Lcore& lcore, Batch& batch, Packet& packet) noexcept {
  if (packet.payload_size == 0) return lcore.drop(packet.mbuf, DropReason::k_first_byte_reserved);
  switch (stun::classify_first_byte(packet.payload[0])) {
    case stun::FirstByte::kChannelData:
    case stun::FirstByte::kCompatChannel:  // bound by control only when the RFC 5766 range is switched on
      ++batch.count;
      return batch.client_channel.push(packet);
    case stun::FirstByte::kStun:
      ++batch.count;
      return batch.client_stun.push(packet);
    case stun::FirstByte::kDtls:
      // Kernel sockets have no host path: control gets the datagram itself.
      if (lcore.kernel_sockets && packet.local->dtls) {
        if (!drop_denied(lcore, packet)) punt(lcore, packet, shm::Event::kDtls);
        return;
      }
      return to_host(lcore, packet.mbuf, DropReason::k_dtls_not_served);
    case stun::FirstByte::kDrop:
      return lcore.drop(packet.mbuf, DropReason::k_first_byte_reserved);
  }
}

// Whether another worker owns this packet's client or relay port; then it has been handed over.
[[gnu::noinline]] bool handed_over(Lcore& lcore, const Packet& packet, bool to_relay) noexcept {
  if (lcore.kernel_sockets) return false;  // the kernel has brought it to the owner's socket
  const WorkerIndex owner = to_relay ? lcore.port_owners->find(packet.key.local, packet.key.local_port)
                                     : owner_of_client(packet, lcore.workers);
  if (owner == lcore.index || owner >= lcore.workers) return false;
  hand_over(lcore, packet, owner);
  return true;
}

template <bool kV4>
[[gnu::always_inline]] inline void classify_udp(Lcore& lcore, Batch& batch, Packet& packet,
                                                const NetworkLayer& layer) noexcept {
  if (layer.transport_size < sizeof(wire::UdpHeader))
    return lcore.drop(packet.mbuf, DropReason::k_udp_malformed);
  const auto& udp = *reinterpret_cast<const wire::UdpHeader*>(layer.transport);
  const std::uint16_t destination = udp.destination_port.host();
  const bool to_relay = packet.local->is_relay_port(destination);
  if (!to_relay && (destination != packet.local->listener_port || destination == 0))
    return not_ours(lcore, packet);
  const std::uint16_t size = udp.length.host();
  if (size < sizeof(wire::UdpHeader) || size > layer.transport_size) {
    return lcore.drop(packet.mbuf, DropReason::k_udp_malformed);
  }
  if (udp.checksum == wire::Be16() && !kV4) {
    return lcore.drop(packet.mbuf, DropReason::k_udp_checksum_zero_ipv6);  // RFC 8200 section 8.1
  }
  if (udp.source_port == wire::Be16()) return lcore.drop(packet.mbuf, DropReason::k_source_port_zero);
  if (invalid_source(layer.source, kV4, lcore.kernel_sockets))
    return lcore.drop(packet.mbuf, DropReason::k_ip_source_invalid);
  packet.payload = layer.transport + sizeof(wire::UdpHeader);
  packet.payload_size = static_cast<std::uint16_t>(size - sizeof(wire::UdpHeader));
  std::memcpy(&packet.ports, layer.transport, sizeof packet.ports);
  packet.checksum = udp.checksum;
  std::memcpy(packet.key.remote.data(), &layer.source, sizeof layer.source);
  packet.key.remote_port = udp.source_port.host();
  packet.key.local = packet.local->index;
  packet.key.local_port = destination;
  if (lcore.workers != 1 && handed_over(lcore, packet, to_relay)) return;
  // RFC 8656 section 11.3: nothing is demultiplexed on a relayed address.
  if (!to_relay) return packet.hairpin ? not_ours(lcore, packet) : sort_client(lcore, batch, packet);
  if (packet.ttl <= 1) return lcore.drop(packet.mbuf, DropReason::k_ttl_expired);
  ++batch.count;
  batch.peer.push(packet);
}

// A piece of a datagram: the whole one goes on when its last piece has come. RFC 8656 section 13 (alternate
// behaviour): the TURN header must be read, so fragments are put together here, within bounds.
// `protocol` is what the fragments carry.
[[gnu::noinline]] void reassemble(Lcore& lcore, Batch& batch, Packet& packet,
                                  std::uint8_t protocol) noexcept {
  if (protocol != wire::kProtocolUdp) return not_ours(lcore, packet);
  rte_mbuf* whole = lcore.reassembly->add(lcore, packet);
  if (whole == nullptr) return;  // kept until the rest arrives, or dropped with its reason
  classify_link(lcore, batch, whole, true);
}

// `packet.mbuf`, `hairpin` and `fragmented` are set; `at` starts the IP header, `available` bytes of it are
// there.
template <bool kV4>
[[gnu::always_inline]] inline void classify_ip(Lcore& lcore, Batch& batch, Packet& packet, std::uint8_t* at,
                                               std::uint32_t available) noexcept {
  NetworkLayer layer;
  packet.v4 = kV4;
  packet.ip = at;
  const DropReason reason =
      kV4 ? parse_ipv4(packet.mbuf, at, available, packet, layer) : parse_ipv6(at, available, packet, layer);
  if (reason != DropReason::kCount) [[unlikely]]
    return lcore.drop(packet.mbuf, reason);
  packet.local = lcore.locals.find(layer.destination, kV4 ? wire::Family::kIpv4 : wire::Family::kIpv6);
  if (packet.local == nullptr) [[unlikely]]
    return not_ours(lcore, packet);
  if (layer.fragment) [[unlikely]] {
    const std::uint8_t inner = layer.transport_size > 0 ? layer.transport[0] : std::uint8_t{0};
    return reassemble(lcore, batch, packet, kV4 ? layer.protocol : inner);
  }
  if (layer.protocol == wire::kProtocolUdp) [[likely]]
    return classify_udp<kV4>(lcore, batch, packet, layer);
  if (packet.hairpin || !is_icmp_error(layer, kV4)) return not_ours(lcore, packet);
  packet.payload = layer.transport;
  packet.payload_size = static_cast<std::uint16_t>(layer.transport_size);
  ++batch.count;
  batch.icmp.push(packet);
}

[[gnu::always_inline]] inline void classify_frame(Lcore& lcore, Batch& batch, rte_mbuf* mbuf,
                                                  bool fragmented) noexcept {
  if (mbuf->nb_segs != 1 && rte_pktmbuf_linearize(mbuf) != 0) return lcore.drop(mbuf, DropReason::k_no_mbuf);
  Packet& packet = batch.packets[batch.count];  // a slot is used up only when its packet enters a group
  packet.mbuf = mbuf;
  packet.hairpin = false;
  packet.fragmented = fragmented;
  auto* at = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  std::uint32_t available = mbuf->data_len;
  std::uint32_t header = sizeof(wire::EthernetHeader);
  if (available < header) return lcore.drop(mbuf, DropReason::k_ethernet_malformed);
  if ((at[0] & 1) != 0)
    return to_host(lcore, mbuf, DropReason::k_no_host_path);  // multicast, broadcast: ARP, ND
  std::uint16_t type = wire::load_be16(at + header - 2);
  for (int tags = 0; tags < 2 && wire::is_vlan_type(type); ++tags) {
    header += sizeof(wire::VlanTag);
    if (available < header) return lcore.drop(mbuf, DropReason::k_ethernet_malformed);
    type = wire::load_be16(at + header - 2);
  }
  if (type != wire::kEtherTypeIpv4 && type != wire::kEtherTypeIpv6) {
    return to_host(lcore, mbuf, DropReason::k_no_host_path);
  }
  packet.link_size = static_cast<std::uint8_t>(header);
  if (type == wire::kEtherTypeIpv4) {
    classify_ip<true>(lcore, batch, packet, at + header, available - header);
  } else {
    classify_ip<false>(lcore, batch, packet, at + header, available - header);
  }
}

}  // namespace

void classify_burst(Lcore& lcore, Batch& batch, std::span<rte_mbuf* const> frames, bool fragmented) noexcept {
  for (rte_mbuf* frame : frames) classify_frame(lcore, batch, frame, fragmented);
}

void classify_link(Lcore& lcore, Batch& batch, rte_mbuf* mbuf, bool fragmented) noexcept {
  classify_burst(lcore, batch, {&mbuf, 1}, fragmented);
}

void classify_hairpin(Lcore& lcore, Batch& batch, rte_mbuf* mbuf) noexcept {
  Packet& packet = batch.packets[batch.count];
  auto* at = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  packet.mbuf = mbuf;
  packet.hairpin = true;
  packet.fragmented = false;
  packet.link_size = 0;
  if ((at[0] >> 4) == 4) {  // we wrote this header ourselves
    classify_ip<true>(lcore, batch, packet, at, mbuf->data_len);
  } else {
    classify_ip<false>(lcore, batch, packet, at, mbuf->data_len);
  }
}

}  // namespace turnpike::dataplane
