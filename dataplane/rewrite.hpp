// SPDX-License-Identifier: BSD-3-Clause
// Puts a flow's finished headers in front of a payload and sends the frame on its way.
#pragma once

#include "dataplane/batch.hpp"
#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {

// What goes out: a UDP payload somewhere in the mbuf's only segment, and what the flow's template leaves
// open.
struct Outgoing {
  std::uint8_t* payload = nullptr;
  std::uint16_t size = 0;
  wire::Be16 peer_port;  // 0: as in the template
  wire::Be16 checksum;   // the finished UDP checksum
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 64;
  bool dont_fragment = false;
};

// The UDP checksum of `out` on `flow`: the received one carried over by RFC 1624 arithmetic, so that damage
// done before us is still seen by the receiver; computed anew where the received one is missing or half done.
// `removed` is what the received datagram had and `added` what `out` has besides the payload bytes that both
// share.
wire::Be16 carried_checksum(Lcore& lcore, const Packet& packet, const Flow& flow, const Outgoing& out,
                            wire::ChecksumSum removed, wire::ChecksumSum added) noexcept;
wire::Be16 computed_checksum(const Flow& flow, const Outgoing& out) noexcept;

// The one's-complement sum of bytes that stand behind `before` others: at an odd offset their halves are
// swapped (RFC 1071 section 2).
wire::ChecksumSum sum_behind(Bytes bytes, std::size_t before) noexcept;

// Whether a sender's offload left only the pseudo-header's sum in the checksum field (veth, vhost, virtio).
bool half_done(const Packet& packet) noexcept;
// Whether the received UDP checksum is right, absent (IPv4) or half done; for datagrams that end here.
bool acceptable_checksum(const Packet& packet) noexcept;

// IP fields of relayed data as RFC 8656 sections 13 and 14 want them; hop limit of `packet` less one.
void copy_ip_fields(const Packet& packet, const Flow& flow, Outgoing& out) noexcept;

// First: is there a way for `size` payload bytes of `packet` on `flow`? If not, the packet has been dropped
// and counted, and its sender told by ICMP where the RFC wants it. Call before anything is written into the
// mbuf: the ICMP error quotes the received headers.
bool admit(Lcore& lcore, const Packet& packet, const Flow& flow, std::uint16_t size) noexcept;
// Then: writes the headers and queues the frame: to a port, back into the pipeline (hairpin), or in
// fragments. Takes the mbuf in every case.
void emit(Lcore& lcore, const Packet& packet, const Flow& flow, const Outgoing& out) noexcept;

// Headers and link layer for a way that is known and wide enough; for what we send ourselves.
void emit_to(Lcore& lcore, rte_mbuf* mbuf, const Flow& flow, const Outgoing& out,
             const NextHopEntry& hop) noexcept;
void write_link_header(std::uint8_t* frame, const NextHopEntry& hop, bool v4) noexcept;

// Queues a whole frame for a port, or hands it to the worker that owns the port's transmit queue.
void transmit(Lcore& lcore, std::uint16_t port, rte_mbuf* mbuf) noexcept;
// Sends what was queued: once per burst.
void flush(Lcore& lcore) noexcept;

}  // namespace turnpike::dataplane
