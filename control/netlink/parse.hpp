// SPDX-License-Identifier: BSD-3-Clause
// rtnetlink messages to records. Pure: nothing here opens a socket.
#pragma once

#include <linux/netlink.h>

#include <optional>

#include "control/netlink/network.hpp"

namespace turnpike::control::netlink {

struct NeighbourRecord {
  std::uint32_t ifindex = 0;
  IpAddress address;
  Neighbour neighbour;
};

// Nothing on a message of another type, or one that lacks what the record needs.
std::optional<Link> parse_link(const nlmsghdr* message);                  // RTM_NEWLINK, RTM_DELLINK
std::optional<InterfaceAddress> parse_address(const nlmsghdr* message);   // RTM_NEWADDR, RTM_DELADDR
std::optional<NeighbourRecord> parse_neighbour(const nlmsghdr* message);  // RTM_NEWNEIGH, RTM_DELNEIGH
std::optional<Route> parse_route(const nlmsghdr* message);  // RTM_NEWROUTE, the answer to RTM_GETROUTE

}  // namespace turnpike::control::netlink
