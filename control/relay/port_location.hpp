// SPDX-License-Identifier: BSD-3-Clause
// Which dataplane port, and which VLAN on it, a netdev of the kernel stands for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/shm/abi.hpp"
#include "control/netlink/network.hpp"

namespace turnpike::control {

// What control needs of a port record.
struct PortInfo {
  std::string name;  // as given to --port
  shm::PortKind kind = shm::PortKind::kNone;
  bool link_up = false;
  std::uint32_t ifindex = 0;  // 0: no netdev
  MacAddress mac{};
  std::uint16_t mtu = 1500;
  friend bool operator==(const PortInfo&, const PortInfo&) = default;
};

// Kernel sockets: where the port listens; 0.0.0.0 and :: mean all addresses of the machine. Nothing for other
// ports.
std::optional<wire::Endpoint> socket_listener(const PortInfo& port);

struct PortLocation {
  std::uint16_t port = 0;
  std::uint16_t vlan = 0;        // 0: untagged
  std::uint16_t outer_vlan = 0;  // service tag in front of it, 0: none
};

// The port's own netdev, or one or two VLAN devices on top of it.
std::optional<PortLocation> locate_netdev(const Network& network, std::span<const PortInfo> ports,
                                          std::uint32_t ifindex);

}  // namespace turnpike::control
