// SPDX-License-Identifier: BSD-3-Clause
// Control -> dataplane. Facts (with a sequence number in the message header) are idempotent: "slot 7 of
// generation 3 is this allocation", not "change it". Structures are fixed-width, without pointers and without
// padding that is not named. Times are CLOCK_MONOTONIC nanoseconds, ports in host byte order, addresses in
// network byte order.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "common/wire/endpoint.hpp"

namespace turnpike::shm {

enum class Command : std::uint16_t {
  kInvalid = 0,
  kReset,              // no body: forget all facts; the first message of a control that takes nothing over
  kSetLocalAddress,    // LocalAddress: to the main lcore (XDP filter) and to every worker
  kSetNextHop,         // NextHop: to every worker
  kInstallAllocation,  // AllocationFact
  kRemoveAllocation,   // RemoveFact
  kInstallPermission,  // PermissionFact
  kRemovePermission,   // RemoveFact
  kInstallChannel,     // ChannelFact
  kRemoveChannel,      // RemoveFact
  kSendDatagram,       // SendDatagram, then the UDP payload
  kSendToPeer,         // SendToPeer, then the UDP payload
  kSetChallenge,       // Challenge: to every worker
  kCountTraffic,       // Traffic
  kMark,               // no body: says by its number that all before it is applied
  kCount
};

inline constexpr std::uint16_t kMaxLocalAddresses = 256;
inline constexpr std::uint32_t kMaxNextHops = 16384;
inline constexpr std::uint16_t kNoNextHop = 0xFFFF;
// As `client_next_hop`: the client is on TCP, TLS or DTLS, which control serves. Its media comes by
// kSendToPeer and goes by Event::kToClient; no packet of the ports is ever taken for the client's.
inline constexpr std::uint16_t kServedByControl = 0xFFFD;

using MacAddress = std::array<std::uint8_t, 6>;

// One of our IP addresses and what we serve on it. Replaces what was said of `index` before; family kNone
// removes it.
struct LocalAddress {
  std::uint16_t index = 0;          // < kMaxLocalAddresses
  std::uint16_t listener_port = 0;  // 0: no listener on this address
  std::uint16_t relay_min = 0;      // 0: not a relay address
  std::uint16_t relay_max = 0;      // inclusive
  wire::IpAddress address;
  wire::IpAddress
      advertised;  // external-ip: what clients know a relay address as; family kNone: `address` itself
  std::uint8_t local_peers = 0;             // kernel sockets: 1 when programs on this address may be peers
  std::uint8_t dtls = 0;                    // likewise: 1 when control serves DTLS on the listening port
  std::array<std::uint16_t, 2> services{};  // likewise: other ports of control, no peers either; 0: none
};
static_assert(sizeof(LocalAddress) == 48);

// How to reach a neighbour. `port` indexes the region's port records.
struct NextHop {
  std::uint16_t index = 0;  // < kMaxNextHops
  std::uint16_t port = 0;
  std::uint16_t vlan = 0;  // 802.1Q VID, 0: untagged
  std::uint16_t mtu = 1500;
  MacAddress source_mac{};
  MacAddress destination_mac{};
  std::uint16_t outer_vlan = 0;  // 802.1ad service tag in front of `vlan`, 0: none
  std::uint8_t resolved = 0;     // 0: drop and count until the fact is repeated with 1
  std::uint8_t reserved = 0;
};
static_assert(sizeof(NextHop) == 24);

struct Slot {
  std::uint32_t index = 0;       // below the capacity in the region header
  std::uint32_t generation = 0;  // never 0
};

struct AllocationFact {
  Slot allocation;
  wire::Endpoint client;
  wire::Endpoint server;
  wire::Endpoint relay_v4;  // family kNone: none
  wire::Endpoint relay_v6;
  std::uint16_t client_next_hop = kNoNextHop;
  std::array<std::uint8_t, 6> reserved{};
  std::uint64_t deadline_ns = 0;
  std::uint64_t max_bps = 0;  // bytes per second of each direction, 0: no limit
};
static_assert(sizeof(AllocationFact) == 112);

struct PermissionFact {
  Slot permission;
  Slot allocation;
  wire::Endpoint relay;
  wire::IpAddress peer;
  std::uint8_t reserved0 = 0;
  std::uint16_t next_hop = kNoNextHop;
  std::uint64_t deadline_ns = 0;
};
static_assert(sizeof(PermissionFact) == 64);

struct ChannelFact {
  Slot channel;
  Slot allocation;
  wire::Endpoint relay;
  wire::Endpoint peer;
  std::uint16_t number = 0;
  std::uint16_t next_hop = kNoNextHop;
  std::uint32_t reserved = 0;
  std::uint64_t deadline_ns = 0;             // of the channel
  std::uint64_t permission_deadline_ns = 0;  // of the peer's permission
};
static_assert(sizeof(ChannelFact) == 80);

struct RemoveFact {
  Slot removed;
  Slot allocation;
};
static_assert(sizeof(RemoveFact) == 16);

// The way a request came, so that its answer can go back the same way without a route.
struct LinkPath {
  std::uint16_t port = 0;
  std::uint16_t vlan = 0;        // 802.1Q VID of the request, 0: untagged
  std::uint16_t outer_vlan = 0;  // 802.1ad service tag in front of it, 0: none
  std::uint16_t reserved = 0;
  MacAddress local_mac{};
  MacAddress remote_mac{};
};
static_assert(sizeof(LinkPath) == 20);

struct SendDatagram {
  wire::Endpoint from;  // one of our listening endpoints
  wire::Endpoint to;
  LinkPath path;
  std::uint32_t reserved = 0;
  // When first_fact != 0 the datagram is withheld if a fact in first_fact..last_fact was refused.
  std::uint64_t first_fact = 0;
  std::uint64_t last_fact = 0;
};
static_assert(sizeof(SendDatagram) == 80);

// Media of a client that control serves, out of its relayed address of the peer's family.
struct SendToPeer {
  Slot allocation;
  wire::Endpoint peer;
  std::uint16_t channel = 0;  // that it was sent on; 0: a Send indication, which a permission allows
  std::uint8_t dont_fragment = 0;
  std::uint8_t reserved = 0;
};
static_assert(sizeof(SendToPeer) == 32);

// How workers answer requests without credentials, or with a nonce that nobody made. Where it is not set, or
// does not say how (another realm, ORIGIN), the requests go to control.
struct Challenge {
  // Whoever makes a nonce takes the first one; those made with either are genuine.
  std::array<std::array<std::uint8_t, 16>, 2> nonce_keys{};
  std::uint8_t realm_size = 0;  // 0: control answers
  std::uint8_t offers_algorithms = 0;
  std::uint8_t knows_userhash = 0;
  std::uint8_t reserved = 0;
  std::uint32_t clock_offset_s = 0;  // added to the worker's seconds, modulo 2^32, for those in a nonce
  std::array<char, 128> realm{};

  friend bool operator==(const Challenge&, const Challenge&) noexcept = default;
};
static_assert(sizeof(Challenge) == 168);

// What an allocation had relayed before the worker knew it: added to its counters.
struct Traffic {
  Slot allocation;
  std::uint64_t to_peer_packets = 0;
  std::uint64_t to_peer_bytes = 0;
  std::uint64_t to_client_packets = 0;
  std::uint64_t to_client_bytes = 0;
};
static_assert(sizeof(Traffic) == 40);

template <typename T>
concept Body = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>;
static_assert(Body<LocalAddress> && Body<NextHop> && Body<AllocationFact> && Body<PermissionFact> &&
              Body<ChannelFact> && Body<RemoveFact> && Body<SendDatagram> && Body<SendToPeer> &&
              Body<Challenge> && Body<Traffic>);

}  // namespace turnpike::shm
