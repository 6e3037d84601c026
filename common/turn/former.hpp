// SPDX-License-Identifier: BSD-3-Clause
// What a former server of the same workers left behind, slot by slot. It comes out of shared memory: whoever
// takes it over checks it.
#pragma once

#include <array>
#include <cstdint>

#include "common/turn/effects.hpp"

namespace turnpike::turn {

// Generation 0: the slot was never used. Not live: its removal may not have reached the worker.
struct FormerAllocation {
  SlotId id;
  bool live = false;
  FiveTuple five_tuple;
  std::array<RelayEndpoint, 2> relays;  // IPv4, IPv6
  std::array<Time, 2> deadlines{};
  std::uint64_t max_bps = 0;
  Bytes note;  // as InstallAllocation had it
};

struct FormerPermission {
  SlotId id;
  bool live = false;
  SlotId allocation;
  IpAddress peer;
  Time deadline{};
};

struct FormerChannel {
  SlotId id;
  bool live = false;
  SlotId allocation;
  PeerEndpoint peer;
  std::uint16_t number = 0;
  Time deadline{};
};

}  // namespace turnpike::turn
