// SPDX-License-Identifier: BSD-3-Clause
// Packets that do not simply leave: too large for their way, back into the pipeline, through control.
#include "dataplane/rewrite.hpp"

#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;

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

bool admit_otherwise(Lcore& lcore, const Packet& packet, const Flow& flow, std::uint16_t size) noexcept {
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

void emit_otherwise(Lcore& lcore, const Packet& packet, const Flow& flow, const Outgoing& out) noexcept {
  rte_mbuf* mbuf = packet.mbuf;
  if (flow.next_hop == kToControl) {
    give_to_client(lcore, flow.allocation, Bytes(out.payload, out.size));
    return lcore.release(mbuf);
  }
  if (!room_for_headers(packet, out)) return lcore.drop(mbuf, DropReason::k_no_mbuf);
  if (flow.next_hop == kHairpin) {
    set_data(mbuf, write_headers(lcore, flow, out), out.payload + out.size);
    return hairpin(lcore, mbuf);
  }
  const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
  if (hop == nullptr) return lcore.drop(mbuf, DropReason::k_next_hop_unresolved);
  if (ip_size(flow, out.size) <= size_limit(lcore, packet, flow, hop->mtu)) {
    return emit_to(lcore, mbuf, flow, out, *hop);
  }
  set_data(mbuf, write_headers(lcore, flow, out), out.payload + out.size);
  send_fragments(lcore, mbuf, *hop, flow.is_v4() ? hop->mtu : std::min(hop->mtu, kIpv6MinimumMtu));
}

}  // namespace turnpike::dataplane
