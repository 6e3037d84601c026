// SPDX-License-Identifier: BSD-3-Clause
// Frames around requests, and off responses.
#include "bench/load/port_requests.hpp"

#include <rte_cycles.h>

#include <array>
#include <cstring>

#include "bench/load/frame.hpp"
#include "common/wire/ipv4.hpp"
#include "common/wire/ipv6.hpp"
#include "common/wire/udp.hpp"

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
  for (std::uint16_t i = 0; i < count; ++i) take_frame(bytes_of(burst[i]), take);
  rte_pktmbuf_free_bulk(burst.data(), count);
  if (count == 0) rte_delay_us_sleep(10);
}

bool PortRequests::take_response(Bytes frame, const Take& take) const {
  constexpr std::uint8_t kResponses = 1;  // first byte of their types: RFC 8489 section 5
  const std::size_t message_at =
      sizeof(wire::EthernetHeader) + sizeof(wire::UdpHeader) +
      (options_.server.address.is_v4() ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header));
  if (frame.size() <= message_at || frame[message_at] != kResponses) return false;
  const auto arrival = parse_udp(frame);
  if (!arrival || arrival->source != options_.server) return false;
  if (arrival->checksums_right) take(session_of_client(options_, arrival->destination), arrival->payload);
  return true;
}

bool PortRequests::answer_neighbour(Bytes frame) {
  if (!options_.port.has_neighbours()) return false;
  const auto answer = neighbours_.answer(frame);
  if (answer)
    port_.send(answer->size(), [&](std::uint8_t* out) { std::memcpy(out, answer->data(), answer->size()); });
  return answer.has_value();
}

bool PortRequests::take_frame(Bytes frame, const Take& take) {
  return take_response(frame, take) || answer_neighbour(frame);
}

}  // namespace turnpike::load
