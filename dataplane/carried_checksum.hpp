// SPDX-License-Identifier: BSD-3-Clause
// UDP checksums of relayed packets: the received one carried over by RFC 1624 arithmetic, so that damage done
// before us is still seen by the receiver.
#pragma once

#include "dataplane/lcore.hpp"
#include "dataplane/outgoing.hpp"

namespace turnpike::dataplane {

// The one's-complement sum of bytes that stand behind `before` others: at an odd offset their halves are
// swapped (RFC 1071 section 2).
inline wire::ChecksumSum sum_behind(Bytes bytes, std::size_t before) noexcept {
  const wire::ChecksumSum sum = wire::sum(bytes);
  return (before & 1) != 0 ? wire::ChecksumSum().add(wire::Be16(sum.fold())) : sum;
}

// Of everything in front of the payload that the checksum covers.
inline wire::ChecksumSum outgoing_sum(const Flow& flow, const Outgoing& out) noexcept {
  const wire::Be16 length = udp_length(out.size);
  return wire::ChecksumSum()
      .add(wire::Be16(wire::swap_bytes(flow.pseudo_sum)))
      .add(out.peer_port)
      .add(length)
      .add(length);
}

inline wire::Be16 computed_checksum(const Flow& flow, const Outgoing& out) noexcept {
  return outgoing_sum(flow, out).add(Bytes(out.payload, out.size)).udp_checksum();
}

// Whether a sender's offload left only the pseudo-header's sum in the checksum field (veth, vhost, virtio).
inline bool half_done(const Packet& packet) noexcept {
  const wire::Be16 length = udp_length(packet.payload_size);
  return wire::ChecksumSum(packet.addresses).add(length).fold() == packet.checksum.raw();
}

// Whether the received UDP checksum is right, absent (IPv4) or half done; for datagrams that end here.
inline bool acceptable_checksum(const Packet& packet) noexcept {
  if (packet.checksum == wire::Be16()) return packet.v4;
  if (half_done(packet)) return true;
  const Bytes datagram(packet.payload - kUdpHeader, std::size_t{packet.payload_size} + kUdpHeader);
  return wire::ChecksumSum(packet.addresses).add(udp_length(packet.payload_size)).add(datagram).fold() ==
         0xFFFF;
}

// The UDP checksum of `out` on `flow`: carried over, or computed anew where the received one is missing or
// half done. `removed` is what the received datagram had and `added` what `out` has besides the payload bytes
// that both share.
[[gnu::always_inline]] inline wire::Be16 carried_checksum(Lcore& lcore, const Packet& packet,
                                                          const Flow& flow, const Outgoing& out,
                                                          wire::ChecksumSum removed,
                                                          wire::ChecksumSum added) noexcept {
  if (lcore.kernel_sockets || flow.next_hop == kToControl) return {};  // made by the kernel, or of no use
  if (packet.checksum == wire::Be16() || half_done(packet)) [[unlikely]] {
    lcore.count(shm::Counter::k_checksum_recomputed);
    return computed_checksum(flow, out);
  }
  const wire::Be16 length = udp_length(packet.payload_size);
  removed.add(packet.addresses).add(packet.ports).add(length).add(length);
  return wire::ChecksumUpdate(packet.checksum)
      .remove(removed)
      .add(outgoing_sum(flow, out).add(added))
      .finish_udp();
}

}  // namespace turnpike::dataplane
