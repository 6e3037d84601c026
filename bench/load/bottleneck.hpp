// SPDX-License-Identifier: BSD-3-Clause
// Who set the limit of a run: the server under test, this program, or nobody.
#pragma once

#include <cstdint>
#include <string>

namespace turnpike::load {

struct Bottleneck {
  std::string who;  // generator, server or none
  std::string why;
};

// Packets of a run at a rate.
struct PacedRun {
  std::uint64_t offered = 0;  // by plan
  std::uint64_t late = 0;     // given up, because the generator had no time for them
  std::uint64_t refused = 0;  // the generator's sockets had no room
  std::uint64_t blocked = 0;  // the server did not take more: full connections, a full window
  std::uint64_t dropped = 0;  // in the generator's receive buffers
  std::uint64_t lost = 0;     // between
};

Bottleneck bottleneck_of(const PacedRun& run);
// Of a run as fast as it goes: `idle` is the share of the time in which the generator waited.
Bottleneck bottleneck_unpaced(double idle);
// Less is no waiting.
inline constexpr double kBusy = 0.02;

}  // namespace turnpike::load
