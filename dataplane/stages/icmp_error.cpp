// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about relayed packets, told to the client in a Data indication (RFC 8656 section 11.5). The
// quoted packet is hostile like everything else: every length is proved before it is read.
#include "common/stun/message_writer.hpp"
#include "common/wire/icmp.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::DropReason;

constexpr std::uint32_t kErrorsPerAllocation = 8;  // in each window of kWindow ticks (about a second)
constexpr Tick kWindow = 15;

// The packet that the error is about: from a relayed address of ours to a peer.
struct Quote {
  wire::Endpoint source;
  wire::Endpoint destination;
};

bool passed_on(bool v4, std::uint8_t type) noexcept {
  if (v4) return type == wire::kIcmpUnreachable || type == wire::kIcmpTimeExceeded;
  return type == wire::kIcmpv6Unreachable || type == wire::kIcmpv6PacketTooBig ||
         type == wire::kIcmpv6TimeExceeded;
}

// Source and destination of a quoted UDP packet; the quote may end after eight bytes of UDP header.
bool read_quote(Bytes quote, bool v4, Quote& result) noexcept {
  std::size_t header = 0;
  if (v4) {
    if (quote.size() < sizeof(wire::Ipv4Header)) return false;
    const auto& ip = *reinterpret_cast<const wire::Ipv4Header*>(quote.data());
    header = ip.header_size();
    if (ip.version() != 4 || header < sizeof ip || ip.protocol != wire::kProtocolUdp ||
        ip.fragment_offset() != 0) {
      return false;
    }
    result.source.address = wire::IpAddress::v4_bytes(quote.data() + offsetof(wire::Ipv4Header, source));
    result.destination.address =
        wire::IpAddress::v4_bytes(quote.data() + offsetof(wire::Ipv4Header, destination));
  } else {
    header = sizeof(wire::Ipv6Header);
    if (quote.size() < header) return false;
    const auto& ip = *reinterpret_cast<const wire::Ipv6Header*>(quote.data());
    if (ip.version() != 6 || ip.next_header != wire::kProtocolUdp) return false;
    result.source.address = wire::IpAddress::v6_bytes(ip.source.data());
    result.destination.address = wire::IpAddress::v6_bytes(ip.destination.data());
  }
  if (quote.size() < header + sizeof(wire::UdpHeader)) return false;
  result.source.port = wire::load_be16(quote.data() + header);
  result.destination.port = wire::load_be16(quote.data() + header + 2);
  return true;
}

bool right_checksum(const Packet& packet) noexcept {
  wire::ChecksumSum sum = wire::sum(Bytes(packet.payload, packet.payload_size));
  if (!packet.v4) {  // RFC 4443 section 2.3: with a pseudo-header
    const auto& ip = *reinterpret_cast<const wire::Ipv6Header*>(packet.ip);
    sum = wire::ChecksumSum()
              .add(Bytes(ip.source))
              .add(Bytes(ip.destination))
              .add(wire::Be16(packet.payload_size))
              .add(wire::Be16(wire::kNextHeaderIcmpv6))
              .add(sum);
  }
  return sum.fold() == 0xFFFF;
}

bool within_rate(const Lcore& lcore, AllocationInfo& info) noexcept {
  if (lcore.now - info.icmp_refill >= kWindow) {
    info.icmp_refill = lcore.now;
    info.icmp_tokens = kErrorsPerAllocation;
  }
  if (info.icmp_tokens == 0) return false;
  --info.icmp_tokens;
  return true;
}

// RFC 8656 section 18.13: the MTU where the error names one, else zero.
std::uint32_t error_data(bool v4, const wire::IcmpHeader& icmp) noexcept {
  if (v4) {
    const bool needed =
        icmp.type == wire::kIcmpUnreachable && icmp.code == wire::kIcmpCodeFragmentationNeeded;
    return needed ? icmp.mtu_v4() : 0;
  }
  return icmp.type == wire::kIcmpv6PacketTooBig ? icmp.mtu_v6() : 0;
}

void tell_client(Lcore& lcore, Packet& packet, const Flow& flow, const wire::Endpoint& peer) noexcept {
  const auto& icmp = *reinterpret_cast<const wire::IcmpHeader*>(packet.payload);
  std::array<std::uint64_t, 2> random{lcore.next_random(), lcore.next_random()};
  const stun::TransactionIdView transaction(reinterpret_cast<const std::uint8_t*>(random.data()),
                                            stun::kTransactionIdSize);
  std::array<std::uint8_t, 64> buffer;  // 44 or 56 bytes
  stun::MessageWriter writer(buffer);
  writer.begin(stun::Method::kData, stun::MessageClass::kIndication, transaction);
  writer.add_xor_address(stun::Attribute::kXorPeerAddress, peer);
  writer.add_icmp({icmp.type, icmp.code, error_data(packet.v4, icmp)});
  lcore.count(shm::Counter::k_icmp_to_client);
  send_on_flow(lcore, flow, writer.finish());
  lcore.release(packet.mbuf);
}

// The allocation that may hear of an error about a packet from `relay` to `peer`: the one that would hear
// from this peer. Not the router that complains decides, but the quoted destination.
std::uint32_t find_allocation(Lcore& lcore, RelayRef relay, const wire::Endpoint& peer,
                              DropReason& reason) noexcept {
  const Tables& tables = *lcore.tables;
  reason = DropReason::k_icmp_not_relayed;
  const std::uint32_t any = tables.find(make_key({}, relay, KeyTag::kRelay));
  if (any == kNoSlot) return kNoSlot;
  const std::uint32_t channel = tables.find(make_key(peer, relay, KeyTag::kPeer));
  if (channel != kNoSlot && lcore.now < tables.channel_to_client(channel).deadline) {
    return tables.channel_to_client(channel).allocation;
  }
  if (lcore.now < tables.allocation(any).deadline) reason = DropReason::k_icmp_no_permission;
  const std::uint32_t first = tables.find(make_key({peer.address, 0, 0}, relay, KeyTag::kPermission));
  if (first == kNoSlot) return kNoSlot;
  const std::uint32_t permission = tables.only_live_permission(first, lcore.now);
  if (permission == kNoSlot) reason = DropReason::k_relay_ambiguous;
  if (permission == kNoSlot || lcore.now >= tables.permission(permission).deadline) return kNoSlot;
  return tables.permission(permission).allocation;
}

void serve_icmp(Lcore& lcore, Packet& packet) noexcept {
  Quote quote;
  const Bytes message(packet.payload, packet.payload_size);
  if (!read_quote(message.subspan(sizeof(wire::IcmpHeader)), packet.v4, quote)) {
    return to_host(lcore, packet.mbuf, DropReason::k_icmp_malformed);
  }
  // An error about something that the relay did not send is the kernel's.
  const LocalAddresses::Entry* local = lcore.locals.find(quote.source.address);
  if (local == nullptr || !local->is_relay_port(quote.source.port)) {
    return to_host(lcore, packet.mbuf, DropReason::k_icmp_not_relayed);
  }
  const WorkerIndex owner = lcore.port_owners->find(local->index, quote.source.port);
  if (owner != lcore.index && owner < lcore.workers) return hand_over(lcore, packet, owner);
  if (!passed_on(packet.v4, message[0])) return lcore.drop(packet.mbuf, DropReason::k_icmp_type);
  if (!right_checksum(packet)) return lcore.drop(packet.mbuf, DropReason::k_icmp_malformed);
  DropReason reason{};
  const std::uint32_t allocation =
      find_allocation(lcore, {local->index, quote.source.port}, quote.destination, reason);
  if (allocation == kNoSlot) return lcore.drop(packet.mbuf, reason);
  if (!within_rate(lcore, lcore.tables->info(allocation)))
    return lcore.drop(packet.mbuf, DropReason::k_icmp_rate);
  tell_client(lcore, packet, lcore.tables->allocation(allocation), quote.destination);
}

}  // namespace

void icmp_error(Lcore& lcore, Batch& batch) noexcept {
  for (Packet* packet : batch.icmp) serve_icmp(lcore, *packet);
}

}  // namespace turnpike::dataplane
