// SPDX-License-Identifier: BSD-3-Clause
// Which system calls sockets are driven by; switched off only for measuring.
#pragma once

#include <cstdint>

namespace turnpike::dataplane {

// Of a socket's buffers; with less a burst is lost now and then.
inline constexpr int kEnoughBufferBytes = 16 << 20;

struct SocketOptions {
  bool recvmmsg = true;  // several datagrams a call, coalesced ones (UDP_GRO) included
  bool sendmmsg = true;
  bool gso = true;
  std::uint16_t mtu = 1500;  // of the links behind: larger datagrams never go out as GSO segments
};

}  // namespace turnpike::dataplane
