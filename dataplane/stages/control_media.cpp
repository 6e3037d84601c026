// SPDX-License-Identifier: BSD-3-Clause
// Media of clients on TCP, TLS and DTLS: control has their sockets, the relayed addresses are here. Towards
// peers the same flows, deadlines and counters as for UDP clients; towards the client finished messages for
// control.
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/traffic.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

// The flow that a message of this allocation takes to its peer, nullptr with the reason when there is none
// now.
const Flow* flow_to_peer(const Lcore& lcore, const shm::SendToPeer& request, RelayRef relay,
                         DropReason& reason) noexcept {
  const Tables& tables = *lcore.tables;
  const std::uint32_t owner = request.allocation.index;
  if (request.channel != 0) {
    reason = DropReason::k_channel_unbound;
    const std::uint32_t slot = tables.find(make_key(request.peer, relay, KeyTag::kPeer));
    if (slot == kNoSlot || tables.channel_to_client(slot).channel != request.channel) return nullptr;
    const Flow& flow = tables.channel_to_peer(slot);
    if (flow.allocation != owner) return nullptr;
    reason = DropReason::k_channel_expired;
    return lcore.now < flow.deadline ? &flow : nullptr;
  }
  reason = DropReason::k_send_no_permission;
  const FlowKey key = make_key({request.peer.address, 0, 0}, relay, KeyTag::kPermission);
  const std::uint32_t first = tables.find(key);
  const std::uint32_t slot = first == kNoSlot ? kNoSlot : tables.permission_of(owner, key, first);
  if (slot == kNoSlot) return nullptr;
  reason = DropReason::k_send_permission_expired;
  const Flow& flow = tables.permission(slot);
  return lcore.now < flow.deadline ? &flow : nullptr;
}

bool fits(const Lcore& lcore, const Flow& flow, const Outgoing& out) noexcept {
  if (!out.dont_fragment || flow.next_hop == kHairpin) return true;
  const NextHopEntry* hop = lcore.next_hops.find(flow.next_hop);
  const std::uint32_t headers = sizeof(wire::Ipv4Header) + sizeof(wire::UdpHeader);
  return hop == nullptr || out.size + headers <= hop->mtu;
}

}  // namespace

void send_to_peer(Lcore& lcore, const shm::SendToPeer& request, Bytes payload) noexcept {
  const std::uint32_t owner = request.allocation.index;
  if (request.allocation.generation == 0 ||
      lcore.tables->generation(owner) != request.allocation.generation) {
    return lcore.count_drops(DropReason::k_send_no_allocation, 1);
  }
  const RelayRef relay = lcore.tables->info(owner).relays[request.peer.address.is_v4() ? 0 : 1];
  if (relay.local == kNoLocal) return lcore.count_drops(DropReason::k_send_no_permission, 1);
  if (request.peer.port == 0) return lcore.count_drops(DropReason::k_peer_port_zero, 1);
  DropReason reason{};
  const Flow* flow = flow_to_peer(lcore, request, relay, reason);
  if (flow == nullptr) return lcore.count_drops(reason, 1);

  Packet packet;  // as if it had come over UDP: IP fields are our own (RFC 8656 section 15)
  Outgoing out;
  packet.mbuf = with_payload(lcore, payload, out);
  if (packet.mbuf == nullptr) return;
  packet.v4 = flow->is_v4();
  packet.dont_fragment = out.dont_fragment = request.dont_fragment != 0 && flow->is_v4();
  packet.fragmented = true;  // it is ours to fragment, over IPv6 too
  out.peer_port = wire::Be16(request.channel != 0 ? std::uint16_t{0} : request.peer.port);
  if (!fits(lcore, *flow, out)) return lcore.drop(packet.mbuf, DropReason::k_too_big);
  if (!within_limit_to_peer(lcore, packet.mbuf, *flow, out.size)) return;
  if (!lcore.kernel_sockets) out.checksum = computed_checksum(*flow, out);
  count_to_peer(lcore, owner, out.size);
  lcore.count(Counter::k_control_to_peer);
  emit(lcore, packet, *flow, out);
  // The batch is free: commands are taken between bursts.
  if (lcore.hairpin_count != 0) relay_hairpins(lcore, lcore.batch);
}

void give_to_client(Lcore& lcore, std::uint32_t allocation, Bytes message) noexcept {
  const shm::ToClient head{{allocation, lcore.tables->generation(allocation)}};
  const Bytes body(reinterpret_cast<const std::uint8_t*>(&head), sizeof head);
  if (!lcore.control_attached.load(std::memory_order_relaxed)) {
    return lcore.count_drops(DropReason::k_no_control, 1);
  }
  if (!lcore.events.push(static_cast<std::uint16_t>(shm::Event::kToClient), 0, body, message)) {
    return lcore.count_drops(DropReason::k_event_ring_full, 1);
  }
  lcore.count(Counter::k_control_to_client);
  lcore.events_pushed = true;
}

}  // namespace turnpike::dataplane
