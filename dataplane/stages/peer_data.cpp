// SPDX-License-Identifier: BSD-3-Clause
// Datagrams from peers to relayed addresses (RFC 8656 sections 11.3 and 12.7): ChannelData to the client
// where the peer is bound to a channel, a Data indication where only its address is permitted, nothing
// otherwise. Where allocations share the relayed address, one alone must permit it.
#include "common/stun/channel_data.hpp"
#include "common/stun/data_indication.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/traffic.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

constexpr std::uint16_t kHeader = stun::kChannelDataHeaderSize;
// Above this a Data indication's length would not fit the IP packet that carries it.
constexpr std::uint16_t kMaxData = 65535 - 48 - stun::kDataIndicationPrefixV6 - 3;

// Whether it was relayed.
bool as_channel_data(Lcore& lcore, Packet& packet, const Flow& flow) noexcept {
  const std::uint16_t size = packet.payload_size;
  if (size > kMaxData) {
    lcore.drop(packet.mbuf, DropReason::k_too_big);
    return false;
  }
  if (!admit(lcore, packet, flow, kHeader + size)) return false;
  if (!within_limit_to_client(lcore, packet.mbuf, flow, size)) return false;
  Outgoing out;
  out.payload = packet.payload - kHeader;
  out.size = kHeader + size;
  copy_ip_fields(packet, flow, out);
  stun::write_channel_data_header(out.payload, flow.channel, size);
  const wire::ChecksumSum added = wire::ChecksumSum().add(wire::Be16(flow.channel)).add(wire::Be16(size));
  out.checksum = carried_checksum(lcore, packet, flow, out, {}, added);
  count_to_client(lcore, flow.allocation, size);
  emit(lcore, packet, flow, out);
  return true;
}

// The peer as the client knows it: one of our own relayed addresses by its advertised form.
wire::Endpoint peer_of(const Lcore& lcore, const Packet& packet) noexcept {
  wire::Endpoint peer;
  peer.address.bytes = packet.key.remote;
  peer.address.family = packet.v4 ? wire::Family::kIpv4 : wire::Family::kIpv6;
  peer.port = packet.key.remote_port;
  if (!packet.hairpin) return peer;
  const LocalAddresses::Entry* own = lcore.locals.find(peer.address);
  if (own != nullptr && own->advertised.family != wire::Family::kNone) peer.address = own->advertised;
  return peer;
}

void as_data_indication(Lcore& lcore, Packet& packet, const Flow& flow) noexcept {
  const std::uint16_t size = packet.payload_size;
  const auto padding = static_cast<std::uint16_t>(stun::data_indication_padding(size));
  const wire::Endpoint peer = peer_of(lcore, packet);
  const auto prefix = static_cast<std::uint16_t>(stun::data_indication_prefix_size(peer.address.family));
  const auto* buffer = static_cast<std::uint8_t*>(packet.mbuf->buf_addr);
  const bool room =
      packet.payload - buffer >= prefix && packet.payload + size + padding <= buffer + packet.mbuf->buf_len;
  if (size > kMaxData || !room) return lcore.drop(packet.mbuf, DropReason::k_too_big);
  if (!admit(lcore, packet, flow, prefix + size + padding)) return;
  if (!within_limit_to_client(lcore, packet.mbuf, flow, size)) return;
  Outgoing out;
  out.payload = packet.payload - prefix;
  out.size = prefix + size + padding;
  copy_ip_fields(packet, flow, out);
  std::array<std::uint64_t, 2> random{lcore.next_random(), lcore.next_random()};
  const stun::TransactionIdView transaction(reinterpret_cast<const std::uint8_t*>(random.data()),
                                            stun::kTransactionIdSize);
  stun::write_data_indication_prefix(MutableBytes(out.payload, prefix), transaction, peer, size);
  std::memset(packet.payload + size, 0,
              padding);  // RFC 8489 section 14; and no other client's bytes leave here
  const wire::ChecksumSum added = wire::sum(Bytes(out.payload, prefix));
  out.checksum = carried_checksum(lcore, packet, flow, out, {}, added);
  count_to_client(lcore, flow.allocation, size);
  lcore.count(Counter::k_peer_to_data);
  emit(lcore, packet, flow, out);
}

// Why there was no permission: tells an operator whether a peer is early or nobody lives there.
DropReason miss_reason(const Lcore& lcore, const Packet& packet) noexcept {
  FlowKey relay = packet.key;
  relay.remote = {};
  relay.remote_port = 0;
  relay.tag = static_cast<std::uint16_t>(KeyTag::kRelay);
  return lcore.tables->find(relay) == kNoSlot ? DropReason::k_relay_no_allocation
                                              : DropReason::k_relay_no_permission;
}

// The packets of `packets` that no live channel took: permission by the peer's address alone (RFC 8656
// section 9).
void by_permission(Lcore& lcore, std::span<Packet*> packets) noexcept {
  Lookup lookup;
  for (Packet* packet : packets) {
    packet->key.tag = static_cast<std::uint16_t>(KeyTag::kPermission);
    std::swap(packet->remote_port, packet->key.remote_port);  // permissions are keyed with port 0
    lookup.push(*packet, packet->key);
  }
  lookup.run(*lcore.tables);
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    if (lookup.slots[i] != kNoSlot) rte_prefetch0(&lcore.tables->permission(lookup.slots[i]));
  }
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    Packet& packet = *lookup.packets[i];
    std::swap(packet.remote_port, packet.key.remote_port);
    if (lookup.slots[i] == kNoSlot) {
      lcore.drop(packet.mbuf, miss_reason(lcore, packet));
      continue;
    }
    const std::uint32_t slot = lcore.tables->only_live_permission(lookup.slots[i], lcore.now);
    if (slot == kNoSlot) {
      lcore.drop(packet.mbuf, DropReason::k_relay_ambiguous);
      continue;
    }
    const Flow& permission = lcore.tables->permission(slot);
    if (lcore.now >= permission.deadline) {
      lcore.drop(packet.mbuf, DropReason::k_relay_permission_expired);
      continue;
    }
    as_data_indication(lcore, packet, lcore.tables->allocation(permission.allocation));
  }
}

}  // namespace

void peer_data(Lcore& lcore, Batch& batch) noexcept {
  Lookup lookup;
  for (Packet* packet : batch.peer) {
    packet->remote_port = 0;
    packet->key.tag = static_cast<std::uint16_t>(KeyTag::kPeer);
    lookup.push(*packet, packet->key);
  }
  lookup.run(*lcore.tables);
  lookup.prefetch(lcore,
                  [&](std::uint32_t slot) -> const Flow& { return lcore.tables->channel_to_client(slot); });
  std::uint64_t relayed = 0;
  std::uint16_t left = 0;
  std::array<Packet*, kBurst> unbound;
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    Packet& packet = *lookup.packets[i];
    // The deadline of this direction is the earlier one of channel and permission; the latter may still live.
    if (lookup.slots[i] == kNoSlot ||
        lcore.now >= lcore.tables->channel_to_client(lookup.slots[i]).deadline) {
      unbound[left++] = &packet;
      continue;
    }
    relayed += as_channel_data(lcore, packet, lcore.tables->channel_to_client(lookup.slots[i])) ? 1 : 0;
  }
  lcore.count(Counter::k_peer_to_channel, relayed);
  if (left != 0) by_permission(lcore, {unbound.data(), left});
}

}  // namespace turnpike::dataplane
