// SPDX-License-Identifier: BSD-3-Clause
// Datagrams of kernel sockets as the frames that the stages know: Ethernet, IP and UDP headers made up on the
// way in, read again on the way out. MAC addresses are zero, checksums of UDP are the kernel's business.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::dataplane {

// IP fields of a datagram, as the kernel tells them by control messages.
struct SocketIpFields {
  std::uint8_t ttl = 64;
  std::uint8_t traffic_class = 0;
  bool dont_fragment = false;  // outgoing IPv4
};

// A datagram that a stage finished; `payload` points into the mbuf.
struct SocketDatagram {
  wire::Endpoint from;
  wire::Endpoint to;
  SocketIpFields fields;
  Bytes payload;
};

// An ICMP error from a socket's error queue, about a datagram that left it.
struct SocketError {
  wire::IpAddress offender;  // who sent it
  wire::Endpoint from;       // source and destination of the datagram
  wire::Endpoint to;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t info = 0;  // the MTU where the error tells one
};

// Both fill an empty mbuf. False: it has no room.
bool make_frame(rte_mbuf* mbuf, const wire::Endpoint& from, const wire::Endpoint& to,
                const SocketIpFields& fields, Bytes payload) noexcept;
bool make_icmp_frame(rte_mbuf* mbuf, const SocketError& error) noexcept;

// The reverse. False: not a UDP frame of ours (an ICMP error of a stage, which no socket can send).
bool read_frame(const rte_mbuf* mbuf, SocketDatagram& datagram) noexcept;

}  // namespace turnpike::dataplane
