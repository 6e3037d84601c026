// SPDX-License-Identifier: BSD-3-Clause
// Finished link-layer headers by next-hop index, 32 bytes each.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "common/shm/commands.hpp"
#include "common/wire/ethernet.hpp"

namespace turnpike::dataplane {

inline constexpr std::size_t kMaxLinkHeader = 22;  // Ethernet and two tags

struct alignas(32) NextHopEntry {
  std::array<std::uint8_t, kMaxLinkHeader> header{};  // the EtherType of the payload is patched per packet
  std::uint8_t header_size = 14;
  std::uint8_t resolved = 0;
  std::uint16_t port = 0;
  std::uint16_t mtu = 0;
};
static_assert(sizeof(NextHopEntry) == 32);

// Link-layer header from `source` to `destination` with up to two tags; returns its size. The last two bytes,
// the EtherType of what follows, are left zero.
inline std::uint8_t make_link_header(std::uint8_t* out, const shm::MacAddress& source,
                                     const shm::MacAddress& destination, std::uint16_t vlan,
                                     std::uint16_t outer_vlan) noexcept {
  std::memcpy(out, destination.data(), 6);
  std::memcpy(out + 6, source.data(), 6);
  std::uint8_t size = 12;
  const auto tag = [&](std::uint16_t type, std::uint16_t id) {
    wire::store_be16(out + size, type);
    wire::store_be16(out + size + 2, id & 0x0FFF);
    size += 4;
  };
  if (outer_vlan != 0) tag(wire::kEtherTypeQinq, outer_vlan);
  if (vlan != 0) tag(wire::kEtherTypeVlan, vlan);
  wire::store_be16(out + size, 0);
  return size + 2;
}

class NextHops {
public:
  NextHops() : entries_(shm::kMaxNextHops) {}

  // Inbox only. False: index or port out of range.
  bool set(const shm::NextHop& fact, std::size_t port_count) noexcept {
    if (fact.index >= shm::kMaxNextHops || fact.port >= port_count || fact.mtu < 68) return false;
    NextHopEntry& entry = entries_[fact.index];
    entry.header_size = make_link_header(entry.header.data(), fact.source_mac, fact.destination_mac,
                                         fact.vlan, fact.outer_vlan);
    entry.resolved = fact.resolved != 0 ? 1 : 0;
    entry.port = fact.port;
    entry.mtu = fact.mtu;
    return true;
  }
  // nullptr: no such entry, or its neighbour is not resolved.
  const NextHopEntry* find(std::uint16_t index) const noexcept {
    if (index >= shm::kMaxNextHops || entries_[index].resolved == 0) return nullptr;
    return &entries_[index];
  }
  void clear() noexcept { entries_.assign(shm::kMaxNextHops, {}); }

private:
  std::vector<NextHopEntry> entries_;
};

}  // namespace turnpike::dataplane
