// SPDX-License-Identifier: BSD-3-Clause
// A burst of packets as the stages see it: endpoints and payload, link layers left behind.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "common/wire/checksum.hpp"
#include "dataplane/flow.hpp"
#include "dataplane/local_addresses.hpp"

namespace turnpike::dataplane {

inline constexpr std::uint16_t kBurst = 32;

// One packet after classification; every length was proved there. Pointers go into the mbuf's data, which is
// one segment. 64 packets of this are 8 KiB: the batch stays in L1.
struct Packet {
  rte_mbuf* mbuf = nullptr;
  std::uint8_t* ip = nullptr;                    // IP header
  std::uint8_t* payload = nullptr;               // first byte after the UDP header
  const LocalAddresses::Entry* local = nullptr;  // our address that it was sent to
  wire::ChecksumSum addresses;  // source, destination and protocol of the received pseudo-header
  wire::Be32 ports;             // source and destination port, as received
  wire::Be16 checksum;          // the received UDP checksum
  std::uint16_t payload_size = 0;
  FlowKey key;                    // remote and local endpoint; the tag is the stage's business
  std::uint16_t remote_port = 0;  // set aside while the key is used with port 0
  std::uint8_t traffic_class = 0;
  std::uint8_t ttl = 0;
  std::uint8_t link_size = 0;  // Ethernet header and tags in front of `ip`; 0 for hairpins
  bool v4 = true;
  bool dont_fragment = false;  // IPv4 DF
  bool fragmented = false;     // was reassembled from fragments (RFC 7915 section 5.1.1: DF is 0 then)
  bool hairpin = false;        // came from one of our own relayed addresses: no link layer in front
};

// Packets of one kind, in the order in which they arrived.
struct Group {
  std::uint16_t count = 0;
  std::array<Packet*, kBurst> packets;

  void push(Packet& packet) noexcept { packets[count++] = &packet; }
  Packet** begin() noexcept { return packets.data(); }
  Packet** end() noexcept { return packets.data() + count; }
};

struct Batch {
  std::uint16_t count = 0;
  Group client_channel;  // ChannelData to a listening endpoint
  Group client_stun;     // STUN to a listening endpoint
  Group peer;            // UDP to a relayed endpoint
  Group icmp;            // ICMP errors to one of our addresses; payload is the ICMP message
  std::array<Packet, kBurst> packets;

  void clear() noexcept {
    count = 0;
    client_channel.count = client_stun.count = peer.count = icmp.count = 0;
  }
};

}  // namespace turnpike::dataplane
