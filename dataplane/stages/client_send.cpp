// SPDX-License-Identifier: BSD-3-Clause
// Send indications from clients to peers (RFC 8656 section 11.2). Firefox never binds a channel: this path
// runs in bursts with bulk look-ups like ChannelData's.
#include "common/stun/data_indication.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/traffic.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

struct Sends {
  std::uint16_t count = 0;
  std::array<Packet*, kBurst> packets;
  std::array<stun::SendIndication, kBurst> indications;
  std::array<FlowKey, kBurst> permissions;
  std::array<std::uint32_t, kBurst> allocations;
};

// Reads the indications; what cannot be one ends here.
void parse_all(Lcore& lcore, Group& group, Sends& sends) noexcept {
  for (Packet* packet : group) {
    stun::SendIndication& indication = sends.indications[sends.count];
    const Bytes bytes(packet->payload, packet->payload_size);
    stun::SendError error = stun::SendError::kNone;
    if (!stun::parse_plain_send_indication(bytes, indication)) {  // the usual layout, without a walk
      stun::MessageView message;
      const stun::ParseError parse_error = stun::MessageView::parse(bytes, message);
      if (parse_error != stun::ParseError::kNone) {
        lcore.drop(packet->mbuf, reason_of(parse_error));
        continue;
      }
      error = stun::parse_send_indication(message, indication);
    }
    if (error != stun::SendError::kNone) {
      const bool unknown = error == stun::SendError::kUnknownAttribute;
      lcore.drop(packet->mbuf, unknown ? DropReason::k_stun_unknown_attribute : DropReason::k_send_malformed);
    } else if (indication.peer.port == 0) {
      lcore.drop(packet->mbuf, DropReason::k_peer_port_zero);
    } else if (packet->ttl <= 1) {
      lcore.drop(packet->mbuf, DropReason::k_ttl_expired);
    } else {
      sends.packets[sends.count++] = packet;
    }
  }
}

// Client's 5-tuple -> allocation; leaves the permission's key. Packets without allocation or family end here.
void find_allocations(Lcore& lcore, Sends& sends) noexcept {
  Lookup lookup;
  for (std::uint16_t i = 0; i < sends.count; ++i) {
    sends.packets[i]->key.tag = static_cast<std::uint16_t>(KeyTag::kClient);
    lookup.push(*sends.packets[i], sends.packets[i]->key);
  }
  lookup.run(*lcore.tables);
  std::uint16_t kept = 0;
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    Packet& packet = *lookup.packets[i];
    if (lookup.slots[i] == kNoSlot || lcore.now >= lcore.tables->allocation(lookup.slots[i]).deadline) {
      const bool expired = lookup.slots[i] != kNoSlot;
      lcore.drop(packet.mbuf, expired ? DropReason::k_allocation_expired : DropReason::k_send_no_allocation);
      continue;
    }
    const wire::Endpoint& peer = sends.indications[i].peer;
    const RelayRef relay = lcore.tables->info(lookup.slots[i]).relays[peer.address.is_v4() ? 0 : 1];
    if (relay.local == kNoLocal) {
      lcore.drop(packet.mbuf, DropReason::k_send_no_permission);  // no relayed address of the peer's family
      continue;
    }
    const wire::Endpoint own_form{lcore.locals.own_form(peer.address), 0, peer.port};
    // Without kernel sockets the hairpin's classification sees it.
    if (lcore.kernel_sockets && lcore.locals.is_service(own_form)) {
      lcore.drop(packet.mbuf, DropReason::k_peer_is_service);
      continue;
    }
    FlowKey& key = sends.permissions[kept];
    key = {};
    key.remote = own_form.address.bytes;
    key.local = relay.local;
    key.local_port = relay.port;
    key.tag = static_cast<std::uint16_t>(KeyTag::kPermission);
    sends.allocations[kept] = lookup.slots[i];
    sends.packets[kept] = &packet;
    sends.indications[kept++] = sends.indications[i];
  }
  sends.count = kept;
}

void relay_one(Lcore& lcore, Packet& packet, const stun::SendIndication& indication,
               const Flow& flow) noexcept {
  if (lcore.now >= flow.deadline) return lcore.drop(packet.mbuf, DropReason::k_send_permission_expired);
  const auto size = static_cast<std::uint16_t>(indication.data.size());
  if (!admit(lcore, packet, flow, size)) return;
  if (!within_limit_to_peer(lcore, packet.mbuf, flow, packet.payload_size)) return;
  Outgoing out;
  out.payload = packet.payload + indication.data_offset;
  out.size = size;
  out.peer_port = wire::Be16(indication.peer.port);
  copy_ip_fields(packet, flow, out);
  // RFC 8656 sections 13 and 14: DONT-FRAGMENT speaks of IPv4 to IPv4 only.
  if (indication.dont_fragment && packet.v4 && flow.is_v4()) out.dont_fragment = true;
  // Everything before the data stands at even offsets: attributes are padded to four bytes.
  wire::ChecksumSum removed = wire::sum(Bytes(packet.payload, indication.data_offset));
  removed.add(
      sum_behind(Bytes(out.payload + size, packet.payload_size - indication.data_offset - size), size));
  out.checksum = carried_checksum(lcore, packet, flow, out, removed, {});
  count_to_peer(lcore, flow.allocation, size);
  lcore.count(Counter::k_send_to_peer);
  emit(lcore, packet, flow, out);
}

}  // namespace

void client_send(Lcore& lcore, Group& group) noexcept {
  Sends sends;
  parse_all(lcore, group, sends);
  find_allocations(lcore, sends);
  Lookup lookup;
  for (std::uint16_t i = 0; i < sends.count; ++i) lookup.push(*sends.packets[i], sends.permissions[i]);
  lookup.run(*lcore.tables);
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    if (lookup.slots[i] != kNoSlot) rte_prefetch0(&lcore.tables->permission(lookup.slots[i]));
  }
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    std::uint32_t slot = lookup.slots[i];
    // On a shared relayed address the key may lead to another allocation's permission first.
    if (slot != kNoSlot) slot = lcore.tables->permission_of(sends.allocations[i], sends.permissions[i], slot);
    if (slot == kNoSlot) {
      lcore.drop(lookup.packets[i]->mbuf, DropReason::k_send_no_permission);
      continue;
    }
    relay_one(lcore, *lookup.packets[i], sends.indications[i], lcore.tables->permission(slot));
  }
}

}  // namespace turnpike::dataplane
