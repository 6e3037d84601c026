// SPDX-License-Identifier: BSD-3-Clause
// Which relayed addresses an Allocate asks for, and getting them.
#pragma once

#include "common/turn/service.hpp"

namespace turnpike::turn {

struct RelayWish {
  bool wants[2] = {false, false};  // IPv4, IPv6
  bool dual = false;               // ADDITIONAL-ADDRESS-FAMILY: one family is enough
  PortWish port = PortWish::kAny;
  std::optional<stun::ReservationToken> token;  // good when it was read
};

// Leaves ports, wish, reservation and a family's failure in `spec`, whose worker is set. On an error nothing
// is taken.
std::optional<stun::ErrorCode> take_ports(Service& service, const RelayWish& wish, Time now,
                                          NewAllocation& spec);

}  // namespace turnpike::turn
