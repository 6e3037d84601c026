// SPDX-License-Identifier: BSD-3-Clause
// ChannelData from a client to its peer (RFC 8656 section 12.6): one look-up, four bytes less, other headers.
#include "common/stun/channel_data.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/traffic.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;
using shm::DropReason;

constexpr std::uint16_t kHeader = stun::kChannelDataHeaderSize;

// Whether it was relayed.
bool relay_one(Lcore& lcore, Packet& packet, const Flow& flow) noexcept {
  if (lcore.now >= flow.deadline) {
    lcore.drop(packet.mbuf, DropReason::k_channel_expired);
    return false;
  }
  const std::uint16_t size = wire::load_be16(packet.payload + 2);  // proved against the datagram below
  if (!admit(lcore, packet, flow, size)) return false;
  if (!within_limit_to_peer(lcore, packet.mbuf, flow, packet.payload_size)) return false;
  Outgoing out;
  out.payload = packet.payload + kHeader;
  out.size = size;
  copy_ip_fields(packet, flow, out);
  // RFC 8656 section 12.5: bytes beyond the announced length are padding and stay behind.
  const Bytes surplus(out.payload + size, std::size_t{packet.payload_size} - kHeader - size);
  wire::ChecksumSum removed = wire::sum(Bytes(packet.payload, kHeader));
  if (!surplus.empty()) removed.add(sum_behind(surplus, size));
  out.checksum = carried_checksum(lcore, packet, flow, out, removed, {});
  count_to_peer(lcore, flow.allocation, size);
  emit(lcore, packet, flow, out);
  return true;
}

}  // namespace

void client_channel(Lcore& lcore, Batch& batch) noexcept {
  Lookup lookup;
  for (Packet* packet : batch.client_channel) {
    const auto message = stun::parse_channel_data(Bytes(packet->payload, packet->payload_size));
    if (!message) {
      lcore.drop(packet->mbuf, DropReason::k_channel_short);
      continue;
    }
    if (packet->ttl <= 1) {
      lcore.drop(packet->mbuf, DropReason::k_ttl_expired);
      continue;
    }
    packet->key.tag = message->channel;
    lookup.push(*packet, packet->key);
  }
  lookup.run(*lcore.tables);
  lookup.prefetch(lcore,
                  [&](std::uint32_t slot) -> const Flow& { return lcore.tables->channel_to_peer(slot); });
  std::uint64_t relayed = 0;
  for (std::uint16_t i = 0; i < lookup.count; ++i) {
    Packet& packet = *lookup.packets[i];
    if (lookup.slots[i] == kNoSlot) {
      lcore.drop(packet.mbuf, DropReason::k_channel_unbound);
      continue;
    }
    relayed += relay_one(lcore, packet, lcore.tables->channel_to_peer(lookup.slots[i])) ? 1 : 0;
  }
  lcore.count(Counter::k_channel_to_peer, relayed);
}

}  // namespace turnpike::dataplane
