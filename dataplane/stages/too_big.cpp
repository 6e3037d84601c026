// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors that we send: "fragmentation needed" (RFC 792, RFC 1191) and "packet too big" (RFC 4443
// section 3.2) to the sender of a packet that the way out does not take whole (RFC 8656 section 13, RFC 7915
// section 4.1).
#include "common/wire/icmp.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using wire::Be16;
using wire::Be32;

constexpr std::uint32_t kErrorsPerTick = 8;  // about 120 a second: RFC 4443 section 2.4 (f) asks for a limit
// RFC 8656 section 13: what peers are told leaves room for the header of a Data indication.
constexpr std::uint16_t kIndicationRoom = 48;
constexpr std::uint16_t kQuoteV4 = sizeof(wire::Ipv4Header) + 8;
constexpr std::uint16_t kQuoteV6 = 128;  // any prefix below 1280 bytes will do

bool within_rate(Lcore& lcore) noexcept {
  if (lcore.icmp_refill != lcore.now) {
    lcore.icmp_refill = lcore.now;
    lcore.icmp_tokens = kErrorsPerTick;
  }
  if (lcore.icmp_tokens == 0) return false;
  --lcore.icmp_tokens;
  return true;
}

std::uint16_t write_ipv4(Lcore& lcore, std::uint8_t* at, const Packet& packet, std::uint16_t mtu) noexcept {
  const auto quote = static_cast<std::uint16_t>(std::min<std::size_t>(
      kQuoteV4, static_cast<std::size_t>(packet.payload + packet.payload_size - packet.ip)));
  wire::Ipv4Header ip{};
  ip.version_ihl = wire::Ipv4Header::kVersionIhl;
  ip.total_length = Be16(static_cast<std::uint16_t>(sizeof ip + sizeof(wire::IcmpHeader) + quote));
  ip.identification = Be16(static_cast<std::uint16_t>(lcore.identification++));
  ip.ttl = 64;
  ip.protocol = wire::kProtocolIcmp;
  std::memcpy(&ip.source, packet.local->address.bytes.data(), 4);
  std::memcpy(&ip.destination, packet.key.remote.data(), 4);
  ip.checksum = wire::ipv4_header_checksum(ip);
  wire::IcmpHeader icmp{wire::kIcmpUnreachable, wire::kIcmpCodeFragmentationNeeded, {}, Be32(mtu)};
  std::uint8_t* body = at + sizeof ip;
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(body, &icmp, sizeof icmp);
  std::memcpy(body + sizeof icmp, packet.ip, quote);
  icmp.checksum = wire::sum(Bytes(body, sizeof icmp + quote)).checksum();
  std::memcpy(body, &icmp, sizeof icmp);
  return ip.total_length.host();
}

std::uint16_t write_ipv6(std::uint8_t* at, const Packet& packet, std::uint16_t mtu) noexcept {
  const auto quote = static_cast<std::uint16_t>(std::min<std::size_t>(
      kQuoteV6, static_cast<std::size_t>(packet.payload + packet.payload_size - packet.ip)));
  const auto size = static_cast<std::uint16_t>(sizeof(wire::IcmpHeader) + quote);
  wire::Ipv6Header ip{};
  ip.version_class_flow = wire::Ipv6Header::first_word(0, 0);
  ip.payload_length = Be16(size);
  ip.next_header = wire::kNextHeaderIcmpv6;
  ip.hop_limit = 64;
  ip.source = packet.local->address.bytes;
  ip.destination = packet.key.remote;
  wire::IcmpHeader icmp{wire::kIcmpv6PacketTooBig, 0, {}, Be32(mtu)};
  std::uint8_t* body = at + sizeof ip;
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(body, &icmp, sizeof icmp);
  std::memcpy(body + sizeof icmp, packet.ip, quote);
  icmp.checksum = wire::ChecksumSum()
                      .add(Bytes(ip.source))
                      .add(Bytes(ip.destination))
                      .add(Be16(size))
                      .add(Be16(wire::kNextHeaderIcmpv6))
                      .add(Bytes(body, size))
                      .checksum();
  std::memcpy(body, &icmp, sizeof icmp);
  return static_cast<std::uint16_t>(sizeof ip + size);
}

}  // namespace

void report_too_big(Lcore& lcore, const Packet& packet, std::uint16_t mtu, bool out_v4) noexcept {
  if (packet.hairpin || !within_rate(lcore)) return;  // our own hairpins have no narrow link
  const int family_growth = (out_v4 ? 20 : 40) - (packet.v4 ? 20 : 40);
  const bool from_peer = packet.local->is_relay_port(packet.key.local_port);
  const int reported = mtu - family_growth - (from_peer ? kIndicationRoom : 0);
  rte_mbuf* mbuf = rte_pktmbuf_alloc(lcore.mbufs);
  if (mbuf == nullptr) return lcore.count_drops(shm::DropReason::k_no_mbuf, 1);
  // Back the way the packet came: its link-layer header with the addresses swapped.
  auto* frame = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
  const std::uint8_t* received = packet.ip - packet.link_size;
  std::memcpy(frame, received + 6, 6);
  std::memcpy(frame + 6, received, 6);
  std::memcpy(frame + 12, received + 12, packet.link_size - 12);
  std::uint8_t* ip = frame + packet.link_size;
  const auto limit = static_cast<std::uint16_t>(reported);
  const std::uint16_t size = packet.v4 ? write_ipv4(lcore, ip, packet, limit) : write_ipv6(ip, packet, limit);
  mbuf->data_len = packet.link_size + size;
  mbuf->pkt_len = mbuf->data_len;
  lcore.count(shm::Counter::k_icmp_sent);
  transmit(lcore, packet.mbuf->port, mbuf);
}

}  // namespace turnpike::dataplane
