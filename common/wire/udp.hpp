// SPDX-License-Identifier: BSD-3-Clause
// UDP header (RFC 768).
#pragma once

#include "common/wire/endian.hpp"

namespace turnpike::wire {

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-------------------------------+-------------------------------+
//  |          source port          |       destination port        |
//  +-------------------------------+-------------------------------+
//  |       length with header      |           checksum            |
//  +-------------------------------+-------------------------------+
struct UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;
  Be16 checksum;  // zero: none, legal over IPv4 only (RFC 8200 section 8.1)
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

}  // namespace turnpike::wire
