// SPDX-License-Identifier: BSD-3-Clause
// Reassembly of IPv4 and IPv6 fragments into one buffer.
#include "dataplane/reassembly.hpp"

#include <rte_cycles.h>
#include <rte_errno.h>

#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {
namespace {

constexpr std::uint32_t kBucketEntries = 4;
constexpr std::uint64_t kTimeoutSeconds = 2;

// RFC 8200 section 4.5, RFC 6946: a Fragment header on a datagram that is whole. The library would wait for
// more.
bool atomic_fragment(const wire::Ipv6FragmentHeader& fragment) noexcept {
  return fragment.fragment_offset() == 0 && !fragment.more_fragments();
}

// Takes the Fragment header out by moving what stands before it.
rte_mbuf* strip_fragment_header(const Packet& packet) noexcept {
  constexpr std::uint16_t kFragment = sizeof(wire::Ipv6FragmentHeader);
  auto& ip = *reinterpret_cast<wire::Ipv6Header*>(packet.ip);
  const auto& fragment = *reinterpret_cast<const wire::Ipv6FragmentHeader*>(packet.ip + sizeof ip);
  ip.next_header = fragment.next_header;
  ip.payload_length = wire::Be16(ip.payload_length.host() - kFragment);
  std::uint8_t* start = rte_pktmbuf_mtod(packet.mbuf, std::uint8_t*);
  std::memmove(start + kFragment, start, packet.link_size + sizeof ip);
  rte_pktmbuf_adj(packet.mbuf, kFragment);
  return packet.mbuf;
}

}  // namespace

Result<std::unique_ptr<Reassembly>> Reassembly::create(WorkerIndex worker, int socket_id) {
  std::unique_ptr<Reassembly> reassembly(new Reassembly());
  reassembly->table_ = rte_ip_frag_table_create(kFlows, kBucketEntries, kFlows * kBucketEntries,
                                                kTimeoutSeconds * rte_get_tsc_hz(), socket_id);
  const std::string name = "large" + std::to_string(worker);
  reassembly->large_ = rte_pktmbuf_pool_create(name.c_str(), kLarge, 0, 0, kRoom, socket_id);
  if (reassembly->table_ == nullptr || reassembly->large_ == nullptr) {
    return Error{std::string("reassembly buffers: ") + rte_strerror(rte_errno) + "; raise memory"};
  }
  return reassembly;
}

Reassembly::~Reassembly() {
  if (table_ != nullptr) {
    rte_ip_frag_free_death_row(&death_row_, 0);
    rte_ip_frag_table_destroy(table_);
  }
  rte_mempool_free(large_);
}

rte_mbuf* Reassembly::add(Lcore& lcore, const Packet& packet) noexcept {
  rte_mbuf* mbuf = packet.mbuf;
  const std::uint64_t now = rte_rdtsc();
  mbuf->l2_len = packet.link_size;
  // Link-layer padding would end up inside the datagram.
  const auto trim = [&](std::size_t ip_total) {
    const std::size_t frame = packet.link_size + ip_total;
    if (mbuf->data_len > frame) rte_pktmbuf_trim(mbuf, static_cast<std::uint16_t>(mbuf->data_len - frame));
  };
  rte_mbuf* chain = nullptr;
  if (packet.v4) {
    const auto& ip = *reinterpret_cast<const wire::Ipv4Header*>(packet.ip);
    trim(ip.total_length.host());
    mbuf->l3_len = static_cast<std::uint16_t>(ip.header_size());
    chain = rte_ipv4_frag_reassemble_packet(table_, &death_row_, mbuf, now,
                                            reinterpret_cast<rte_ipv4_hdr*>(packet.ip));
  } else {
    const auto& ip = *reinterpret_cast<const wire::Ipv6Header*>(packet.ip);
    if (ip.payload_length.host() < sizeof(wire::Ipv6FragmentHeader)) {
      lcore.drop(mbuf, shm::DropReason::k_ipv6_malformed);
      return nullptr;
    }
    const auto& fragment = *reinterpret_cast<const wire::Ipv6FragmentHeader*>(packet.ip + sizeof ip);
    if (atomic_fragment(fragment)) return strip_fragment_header(packet);
    trim(sizeof ip + ip.payload_length.host());
    mbuf->l3_len = sizeof(wire::Ipv6Header) + sizeof(wire::Ipv6FragmentHeader);
    chain = rte_ipv6_frag_reassemble_packet(table_, &death_row_, mbuf, now,
                                            reinterpret_cast<rte_ipv6_hdr*>(packet.ip),
                                            reinterpret_cast<rte_ipv6_fragment_ext*>(packet.ip + sizeof ip));
  }
  expire(lcore);
  return chain == nullptr ? nullptr : to_one_segment(lcore, chain);
}

rte_mbuf* Reassembly::to_one_segment(Lcore& lcore, rte_mbuf* chain) noexcept {
  rte_mbuf* whole = rte_pktmbuf_alloc(large_);
  if (whole == nullptr || chain->pkt_len > rte_pktmbuf_tailroom(whole)) {
    if (whole != nullptr) rte_pktmbuf_free(whole);
    lcore.drop(chain, shm::DropReason::k_fragment_dropped);
    return nullptr;
  }
  std::uint8_t* to = rte_pktmbuf_mtod(whole, std::uint8_t*);
  for (const rte_mbuf* segment = chain; segment != nullptr; segment = segment->next) {
    std::memcpy(to, rte_pktmbuf_mtod(segment, const std::uint8_t*), segment->data_len);
    to += segment->data_len;
  }
  whole->data_len = static_cast<std::uint16_t>(chain->pkt_len);
  whole->pkt_len = chain->pkt_len;
  whole->port = chain->port;
  whole->ol_flags =
      RTE_MBUF_F_RX_IP_CKSUM_GOOD;  // each fragment's header was checked; the joined one has none
  lcore.release(chain);
  lcore.count(shm::Counter::k_fragments_reassembled);
  return whole;
}

void Reassembly::expire(Lcore& lcore) noexcept {
  rte_ip_frag_table_del_expired_entries(table_, &death_row_, rte_rdtsc());
  lcore.count_drops(shm::DropReason::k_fragment_dropped, death_row_.cnt);
  rte_ip_frag_free_death_row(&death_row_, 0);
}

}  // namespace turnpike::dataplane
