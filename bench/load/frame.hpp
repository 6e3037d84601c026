// SPDX-License-Identifier: BSD-3-Clause
// Arriving frames, taken apart in place.
#pragma once

#include <optional>

#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"
#include "common/wire/ethernet.hpp"

namespace turnpike::load {

struct Arrival {
  wire::MacAddress mac;  // it was sent to
  wire::Endpoint source;
  wire::Endpoint destination;
  Bytes payload;
  bool checksums_right = false;  // IPv4 header and UDP; a UDP checksum of zero is not
};

// Nothing when the frame is no whole, untagged UDP datagram without IP options.
std::optional<Arrival> parse_udp(Bytes frame) noexcept;

// A whole UDP frame with its checksums.
struct Departure {
  wire::MacAddress source_mac;
  wire::MacAddress destination_mac;
  wire::Endpoint source;
  wire::Endpoint destination;
  Bytes payload;
};
std::size_t frame_size(const Departure& departure) noexcept;
// `out` has room for frame_size().
void write_udp(const Departure& departure, std::uint8_t* out) noexcept;

}  // namespace turnpike::load
