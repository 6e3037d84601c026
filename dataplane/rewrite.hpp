// SPDX-License-Identifier: BSD-3-Clause
// Puts a flow's finished headers in front of a payload and sends the frame on its way. What nearly every
// packet needs is inline; the rest stands in rewrite.cpp.
#pragma once

#include "dataplane/carried_checksum.hpp"
#include "dataplane/headers.hpp"
#include "dataplane/lcore.hpp"
#include "dataplane/outgoing.hpp"

namespace turnpike::dataplane {

inline constexpr std::uint16_t kIpv6MinimumMtu = 1280;  // RFC 8200 section 5

// Queues a whole frame for a port, or hands it to the worker that owns the port's transmit queue.
void transmit_otherwise(Lcore& lcore, std::uint16_t port, rte_mbuf* mbuf) noexcept;
inline void transmit(Lcore& lcore, std::uint16_t port, rte_mbuf* mbuf) noexcept {
  TransmitQueue& queue = lcore.transmit[port];
  if (!queue.own || queue.count == queue.frames.size()) [[unlikely]] {
    return transmit_otherwise(lcore, port, mbuf);
  }
  queue.frames[queue.count++] = mbuf;
}
// Sends what was queued: once per burst.
void flush(Lcore& lcore) noexcept;

// Headers and link layer for a way that is known and wide enough.
[[gnu::always_inline]] inline void emit_to(Lcore& lcore, rte_mbuf* mbuf, const Flow& flow,
                                           const Outgoing& out, const NextHopEntry& hop) noexcept {
  const bool v4 = flow.is_v4();
  std::uint8_t* const frame = out.payload - (v4 ? kIpv4Headers : kIpv6Headers) - hop.header_size;
  const std::uint16_t port = hop.port;  // before bytes are written that might be anything's
  set_data(mbuf, frame, out.payload + out.size);
  write_headers(lcore, flow, out);
  write_link_header(frame, hop, v4);
  transmit(lcore, port, mbuf);
}

// First: is there a way for `size` payload bytes of `packet` on `flow`? If not, the packet has been dropped
// and counted, and its sender told by ICMP where the RFC wants it. Call before anything is written into the
// mbuf: the ICMP error quotes the received headers.
bool admit_otherwise(Lcore& lcore, const Packet& packet, const Flow& flow, std::uint16_t size) noexcept;
inline bool admit(Lcore& lcore, const Packet& packet, const Flow& flow, std::uint16_t size) noexcept {
  const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
  if (hop != nullptr && ip_size(flow, size) <= hop->mtu) [[likely]]
    return true;
  return admit_otherwise(lcore, packet, flow, size);
}

// For the largest: ports keep RTE_PKTMBUF_HEADROOM in front of every frame, but that is their promise.
inline bool room_for_headers(const Packet& packet, const Outgoing& out) noexcept {
  return out.payload - static_cast<std::uint8_t*>(packet.mbuf->buf_addr) >=
         static_cast<std::ptrdiff_t>(kIpv6Headers + kMaxLinkHeader);
}

// Then: writes the headers and queues the frame: to a port, back into the pipeline (hairpin), to control, or
// in fragments. Takes the mbuf in every case.
void emit_otherwise(Lcore& lcore, const Packet& packet, const Flow& flow, const Outgoing& out) noexcept;
[[gnu::always_inline]] inline void emit(Lcore& lcore, const Packet& packet, const Flow& flow,
                                        const Outgoing& out) noexcept {
  const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
  // What is not larger than IPv6's minimum is cut nowhere for the sake of another family.
  const bool whole = hop != nullptr && ip_size(flow, out.size) <= std::min(hop->mtu, kIpv6MinimumMtu);
  if (whole && room_for_headers(packet, out)) [[likely]] {
    return emit_to(lcore, packet.mbuf, flow, out, *hop);
  }
  emit_otherwise(lcore, packet, flow, out);
}

}  // namespace turnpike::dataplane
