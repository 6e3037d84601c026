// SPDX-License-Identifier: BSD-3-Clause
// An IP packet larger than its link, in fragments. Own code: librte_ip_frag gives every IPv6 fragment the
// identification 0, so that two datagrams in flight to one receiver would be mixed up.
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;
using wire::Be16;

struct Piece {
  const std::uint8_t* data = nullptr;
  std::uint16_t size = 0;
  std::uint16_t offset = 0;  // bytes from the start of the fragmented part
  bool more = false;
};

std::uint8_t* write_ipv4(std::uint8_t* at, const wire::Ipv4Header& original, const Piece& piece) noexcept {
  wire::Ipv4Header ip = original;
  ip.total_length = Be16(static_cast<std::uint16_t>(sizeof ip + piece.size));
  ip.fragment = Be16(
      static_cast<std::uint16_t>(piece.offset / 8 | (piece.more ? wire::Ipv4Header::kMoreFragments : 0)));
  ip.checksum = Be16();
  ip.checksum = wire::ipv4_header_checksum(ip);
  std::memcpy(at, &ip, sizeof ip);
  return at + sizeof ip;
}

std::uint8_t* write_ipv6(std::uint8_t* at, const wire::Ipv6Header& original, std::uint32_t identification,
                         const Piece& piece) noexcept {
  wire::Ipv6Header ip = original;
  const wire::Ipv6FragmentHeader fragment{
      original.next_header, 0, Be16(static_cast<std::uint16_t>(piece.offset | (piece.more ? 1 : 0))),
      wire::Be32(identification)};
  ip.next_header = wire::kNextHeaderFragment;
  ip.payload_length = Be16(static_cast<std::uint16_t>(sizeof fragment + piece.size));
  std::memcpy(at, &ip, sizeof ip);
  std::memcpy(at + sizeof ip, &fragment, sizeof fragment);
  return at + sizeof ip + sizeof fragment;
}

}  // namespace

void send_fragments(Lcore& lcore, rte_mbuf* mbuf, const NextHopEntry& hop, std::uint16_t mtu) noexcept {
  const std::uint8_t* ip = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  const bool v4 = (ip[0] >> 4) == 4;
  const std::size_t header = v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header);
  const std::size_t overhead = v4 ? header : header + sizeof(wire::Ipv6FragmentHeader);
  const auto step =
      static_cast<std::uint16_t>((mtu - overhead) & ~std::size_t{7});  // offsets count in eights
  const auto total = static_cast<std::uint16_t>(mbuf->data_len - header);
  const std::uint32_t identification = lcore.identification++;
  for (std::uint32_t offset = 0; offset < total; offset += step) {
    rte_mbuf* fragment = rte_pktmbuf_alloc(lcore.mbufs);
    if (fragment == nullptr || rte_pktmbuf_tailroom(fragment) < hop.header_size + overhead + step) {
      if (fragment != nullptr) lcore.release(fragment);
      lcore.count_drops(DropReason::k_no_mbuf, 1);
      break;
    }
    Piece piece;
    piece.data = ip + header + offset;
    piece.size = static_cast<std::uint16_t>(std::min<std::uint32_t>(step, total - offset));
    piece.offset = static_cast<std::uint16_t>(offset);
    piece.more = offset + piece.size < total;
    auto* frame = rte_pktmbuf_mtod(fragment, std::uint8_t*);
    write_link_header(frame, hop, v4);
    std::uint8_t* at = frame + hop.header_size;
    at = v4 ? write_ipv4(at, *reinterpret_cast<const wire::Ipv4Header*>(ip), piece)
            : write_ipv6(at, *reinterpret_cast<const wire::Ipv6Header*>(ip), identification, piece);
    std::memcpy(at, piece.data, piece.size);
    fragment->data_len = static_cast<std::uint16_t>(at + piece.size - frame);
    fragment->pkt_len = fragment->data_len;
    lcore.count(shm::Counter::k_fragments_sent);
    transmit(lcore, hop.port, fragment);
  }
  lcore.release(mbuf);
}

}  // namespace turnpike::dataplane
