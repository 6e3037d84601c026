// SPDX-License-Identifier: BSD-3-Clause
// Frames around requests, and off responses.
#include "bench/load/port_requests.hpp"

#include <rte_cycles.h>

#include <array>

#include "bench/load/frame.hpp"

namespace turnpike::load {

Status PortRequests::send(std::uint32_t session, Bytes message) {
  const Departure departure{options_.own_mac, options_.relay_mac, sessions_[session].client, options_.server,
                            message};
  port_.send(frame_size(departure), [&](std::uint8_t* out) { write_udp(departure, out); });
  return Unit{};
}

void PortRequests::receive(const Take& take) {
  std::array<rte_mbuf*, 32> burst;
  const std::uint16_t count = port_.receive(burst);
  for (std::uint16_t i = 0; i < count; ++i) {
    const auto arrival = parse_udp(bytes_of(burst[i]));
    if (!arrival || !arrival->checksums_right || arrival->source != options_.server) continue;
    take(session_of_client(options_, arrival->destination), arrival->payload);
  }
  rte_pktmbuf_free_bulk(burst.data(), count);
  if (count == 0) rte_delay_us_sleep(10);
}

}  // namespace turnpike::load
