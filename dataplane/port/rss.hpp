// SPDX-License-Identifier: BSD-3-Clause
// Receive-side scaling: the key that every NIC is given, so that a worker can compute in software which queue
// a tuple's packets come to.
//
// The hash is Toeplitz over source address, destination address, source port, destination port as they stand
// in the packet. A NIC's indirection table is filled so that entry i names queue (i mod kRssEntries) mod
// queues; a table shorter than kRssEntries, or a NIC that hashes differently, only costs hand-offs between
// workers.
#pragma once

#include <array>
#include <cstdint>

namespace turnpike::dataplane {

inline constexpr std::uint32_t kRssEntries = 128;

// Random once, fixed since: RSS spreads load, it protects nothing. NICs use the first 40 or all 52 bytes; an
// IPv6 tuple (36 bytes) and its 32-bit window need 40.
inline constexpr std::array<std::uint8_t, 52> kRssKey{
    0x8f, 0x1c, 0xe3, 0x75, 0x2a, 0xd9, 0x46, 0xb1, 0x0e, 0x97, 0x5c, 0x63, 0xfa,
    0x38, 0xc5, 0x12, 0x7d, 0xa4, 0x69, 0xe0, 0x3b, 0x96, 0x51, 0xdc, 0x07, 0xb8,
    0x4f, 0x22, 0xf5, 0x8a, 0x1d, 0x60, 0xcb, 0x34, 0x9e, 0x53, 0xa6, 0x7f, 0x18,
    0xe1, 0x4c, 0x85, 0xd2, 0x39, 0x6e, 0xb3, 0x04, 0xf7, 0x5a, 0x21, 0x98, 0xcd};

constexpr std::uint32_t rss_queue(std::uint32_t hash, std::uint32_t queues) noexcept {
  return (hash % kRssEntries) % queues;
}

}  // namespace turnpike::dataplane
