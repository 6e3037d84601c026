// SPDX-License-Identifier: BSD-3-Clause
// Questions and answers of both families.
#include "bench/load/neighbours.hpp"

#include <algorithm>
#include <cstring>

#include "bench/load/flood_sources.hpp"
#include "bench/load/session.hpp"
#include "common/wire/checksum.hpp"
#include "common/wire/icmp.hpp"

namespace turnpike::load {
namespace {

using wire::Be16;
using wire::Be32;
using wire::IpAddress;
using wire::MacAddress;

constexpr std::uint16_t kRequest = 1;
constexpr std::uint16_t kReply = 2;
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kSourceOption = 1;
constexpr std::uint8_t kTargetOption = 2;
constexpr std::uint32_t kSolicitedOverride = 0x60000000;
constexpr std::uint8_t kHopLimit = 255;

// Behind the Ethernet header.
struct Arp {
  Be16 hardware{1};
  Be16 protocol{wire::kEtherTypeIpv4};
  std::uint8_t hardware_size = 6;
  std::uint8_t protocol_size = 4;
  Be16 operation;
  MacAddress sender_mac;
  std::array<std::uint8_t, 4> sender;
  MacAddress target_mac;
  std::array<std::uint8_t, 4> target;
};
static_assert(sizeof(Arp) == 28 && alignof(Arp) == 1);

// Behind the IPv6 header, with the one option that we send.
struct Discovery {
  wire::IcmpHeader icmp;
  std::array<std::uint8_t, 16> target;
  std::uint8_t option;
  std::uint8_t option_size = 1;  // in units of 8 bytes
  MacAddress mac;
};
static_assert(sizeof(Discovery) == 32 && alignof(Discovery) == 1);

template <typename Header>
std::optional<Header> read(Bytes frame, std::size_t at) {
  if (frame.size() < at + sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, frame.data() + at, sizeof header);
  return header;
}

template <typename... Headers>
Neighbours::Frame joined(const Headers&... headers) {
  Neighbours::Frame frame;
  const auto add = [&frame](const auto& header) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
    frame.insert(frame.end(), bytes, bytes + sizeof header);
  };
  (add(headers), ...);
  return frame;
}

std::array<std::uint8_t, 4> four(const IpAddress& address) {
  return {address.bytes[0], address.bytes[1], address.bytes[2], address.bytes[3]};
}

Neighbours::Frame discovery_frame(const MacAddress& to_mac, const MacAddress& own,
                                  const std::array<std::uint8_t, 16>& from,
                                  const std::array<std::uint8_t, 16>& to, Discovery message) {
  wire::Ipv6Header ip{};
  ip.version_class_flow = wire::Ipv6Header::first_word(0, 0);
  ip.payload_length = Be16(sizeof message);
  ip.next_header = wire::kNextHeaderIcmpv6;
  ip.hop_limit = kHopLimit;
  ip.source = from;
  ip.destination = to;
  message.icmp.checksum = wire::ChecksumSum()
                              .add(Bytes(from))
                              .add(Bytes(to))
                              .add(Be16(sizeof message))
                              .add(Be16(wire::kNextHeaderIcmpv6))
                              .add(Bytes(reinterpret_cast<const std::uint8_t*>(&message), sizeof message))
                              .checksum();
  return joined(wire::EthernetHeader{to_mac, own, Be16(wire::kEtherTypeIpv6)}, ip, message);
}

// The message of this type in the frame, when there is one.
std::optional<Discovery> discovery_in(Bytes frame, std::uint8_t type) {
  const auto ethernet = read<wire::EthernetHeader>(frame, 0);
  const auto ip = read<wire::Ipv6Header>(frame, sizeof(wire::EthernetHeader));
  if (!ip || ethernet->type.host() != wire::kEtherTypeIpv6 || ip->next_header != wire::kNextHeaderIcmpv6)
    return std::nullopt;
  const auto message = read<Discovery>(frame, sizeof(wire::EthernetHeader) + sizeof *ip);
  return message && message->icmp.type == type && ip->hop_limit == kHopLimit ? message : std::nullopt;
}

std::optional<Arp> arp_in(Bytes frame, std::uint16_t operation) {
  const auto ethernet = read<wire::EthernetHeader>(frame, 0);
  const auto arp = read<Arp>(frame, sizeof(wire::EthernetHeader));
  const bool right = arp && ethernet->type.host() == wire::kEtherTypeArp &&
                     arp->operation.host() == operation && arp->protocol.host() == wire::kEtherTypeIpv4;
  return right ? arp : std::nullopt;
}

}  // namespace

bool Neighbours::is_own(const IpAddress& address) const noexcept {
  return is_flood_source(options_, address) || is_session_address(options_, options_.client_ip, address) ||
         is_session_address(options_, options_.peer_ip, address);
}

std::optional<Neighbours::Frame> Neighbours::answer(Bytes frame) const {
  if (const auto arp = arp_in(frame, kRequest); arp && is_own(IpAddress::v4_bytes(arp->target.data()))) {
    Arp reply;
    reply.operation = Be16(kReply);
    reply.sender_mac = options_.own_mac;
    reply.sender = arp->target;
    reply.target_mac = arp->sender_mac;
    reply.target = arp->sender;
    return joined(wire::EthernetHeader{arp->sender_mac, options_.own_mac, Be16(wire::kEtherTypeArp)}, reply);
  }
  const auto asked = discovery_in(frame, kSolicitation);
  if (!asked || !is_own(IpAddress::v6_bytes(asked->target.data()))) return std::nullopt;
  const auto ip = *read<wire::Ipv6Header>(frame, sizeof(wire::EthernetHeader));
  const auto ethernet = *read<wire::EthernetHeader>(frame, 0);
  Discovery reply{};
  reply.icmp.type = kAdvertisement;
  reply.icmp.rest = Be32(kSolicitedOverride);
  reply.target = asked->target;
  reply.option = kTargetOption;
  reply.option_size = 1;
  reply.mac = options_.own_mac;
  return discovery_frame(ethernet.source, options_.own_mac, asked->target, ip.source, reply);
}

Neighbours::Frame Neighbours::question() const {
  const IpAddress& server = options_.server.address;
  if (server.is_v4()) {
    Arp request;
    request.operation = Be16(kRequest);
    request.sender_mac = options_.own_mac;
    request.sender = four(options_.client_ip);
    request.target_mac = {};
    request.target = four(server);
    return joined(wire::EthernetHeader{wire::kBroadcastMac, options_.own_mac, Be16(wire::kEtherTypeArp)},
                  request);
  }
  // The solicited-node multicast address: ff02::1:ffXX:XXXX.
  std::array<std::uint8_t, 16> group{0xFF, 0x02};
  group[11] = 1;
  group[12] = 0xFF;
  std::copy_n(server.bytes.begin() + 13, 3, group.begin() + 13);
  const MacAddress group_mac{{0x33, 0x33, 0xFF, group[13], group[14], group[15]}};
  Discovery request{};
  request.icmp.type = kSolicitation;
  request.target = server.bytes;
  request.option = kSourceOption;
  request.option_size = 1;
  request.mac = options_.own_mac;
  return discovery_frame(group_mac, options_.own_mac, options_.client_ip.bytes, group, request);
}

std::optional<wire::MacAddress> Neighbours::server_in(Bytes frame) const {
  const IpAddress& server = options_.server.address;
  if (server.is_v4()) {
    const auto arp = arp_in(frame, kReply);
    return arp && arp->sender == four(server) ? std::optional(arp->sender_mac) : std::nullopt;
  }
  const auto reply = discovery_in(frame, kAdvertisement);
  const bool right = reply && reply->target == server.bytes && reply->option == kTargetOption;
  return right ? std::optional(reply->mac) : std::nullopt;
}

}  // namespace turnpike::load
