// SPDX-License-Identifier: BSD-3-Clause
// Frames that are made once and sent often, from another source each time.
#pragma once

#include <vector>

#include "bench/load/frame.hpp"

namespace turnpike::load {

struct FrameChecksums {
  wire::Be16 ip;  // 0 over IPv6
  wire::Be16 udp;
};

struct FloodFrame {
  explicit FloodFrame(const Departure& departure);

  std::vector<std::uint8_t> bytes;
  FrameChecksums checksums;
};

// `was` and its checksums are the source with which the frame was made; both sources are of one family.
void write_source(std::uint8_t* frame, const FrameChecksums& checksums, const wire::Endpoint& was,
                  const wire::Endpoint& source) noexcept;

}  // namespace turnpike::load
