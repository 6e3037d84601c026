// SPDX-License-Identifier: BSD-3-Clause
// What a packet is looked up by, and what is done with it: the key and the finished outgoing header.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "common/base/types.hpp"
#include "common/shm/commands.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::dataplane {

// What a key names. ChannelData keys carry the channel number (0x4000 and above) instead.
enum class KeyTag : std::uint16_t {
  kClient = 1,      // client endpoint + listening endpoint -> allocation
  kPeer = 2,        // peer endpoint + relayed endpoint -> channel, towards the client
  kPermission = 3,  // peer address (port 0) + relayed endpoint -> permission
  kRelay = 4,       // relayed endpoint alone -> allocation
};

// 24 bytes without padding, compared and hashed as three aligned words. `local` is the index of our own
// address and says the family too, so the zero-padded IPv4 form of `remote` cannot be mistaken for IPv6.
// Aligned, because it is read in words.
struct alignas(8) FlowKey {
  std::array<std::uint8_t, 16> remote{};
  std::uint16_t remote_port = 0;
  std::uint16_t local = 0;
  std::uint16_t local_port = 0;
  std::uint16_t tag = 0;  // KeyTag, or a channel number

  friend bool operator==(const FlowKey& a, const FlowKey& b) noexcept {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};
static_assert(sizeof(FlowKey) == 24);

inline constexpr std::uint16_t kNoLocal = 0xFFFF;

// Deadlines fit 32 bits as ticks of 2^26 ns (67 ms): 9 years of uptime. Live while now < deadline.
using Tick = std::uint32_t;
constexpr Tick tick_of(std::uint64_t ns) noexcept { return static_cast<Tick>(ns >> 26); }
constexpr Tick deadline_tick(std::uint64_t ns) noexcept {
  return static_cast<Tick>((ns >> 26) + 1);
}  // never early

// Special next hops, outside the table.
inline constexpr std::uint16_t kHairpin =
    0xFFFE;  // the destination address is our own: back into the pipeline
inline constexpr std::uint16_t kToControl = shm::kServedByControl;  // the client's bytes pass through control
inline constexpr std::uint16_t kUnreachable = 0xFFFF;               // control knows no way there

// One direction of relaying, on one cache line: the finished IP and UDP header with zero in what each packet
// decides (lengths, identification, TTL, TOS, checksums). Read-only on the packet path; written by the inbox
// alone.
struct alignas(kCacheLine) Flow {
  std::array<std::uint8_t, 48> header{};  // IPv4 + UDP (28 bytes) or IPv6 + UDP (48)
  Tick deadline = 0;                      // 0: not installed
  std::uint32_t allocation = 0;           // index of counters and of the allocation
  std::uint16_t next_hop = kUnreachable;
  std::uint16_t pseudo_sum =
      0;  // one's-complement sum of addresses, protocol and ports as they stand in `header`
  std::uint16_t channel = 0;  // towards the client: the number to prepend; of a permission: see Tables
  std::uint16_t limited = 0;  // 1: the allocation has a bandwidth limit

  bool is_v4() const noexcept { return (header[0] >> 4) == 4; }
};
static_assert(sizeof(Flow) == kCacheLine);

}  // namespace turnpike::dataplane
