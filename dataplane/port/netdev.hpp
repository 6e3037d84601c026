// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says about a network device, and the few things that we tell it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.hpp"
#include "common/shm/commands.hpp"

namespace turnpike::dataplane {

struct Netdev {
  unsigned ifindex = 0;
  shm::MacAddress mac{};
  std::uint32_t mtu = 0;
  bool up = false;       // by the operator
  bool running = false;  // the carrier is there
};

// Nothing: there is no such device in this network namespace.
std::optional<Netdev> read_netdev(const std::string& name);
// Name of its driver ("veth", "ixgbe"); empty when it does not say.
std::string netdev_driver(const std::string& name);
// A tap or tun device, as a former dataplane may have left one behind.
bool is_tap(const std::string& name);
// Receive queues in use.
std::uint32_t netdev_rx_queues(const std::string& name);
// The device's node, -1 when it has none.
int netdev_numa_node(const std::string& name);

Status set_netdev_mac(const std::string& name, const shm::MacAddress& mac);
Status set_netdev_mtu(const std::string& name, std::uint32_t mtu);
Status set_netdev_up(const std::string& name);
// Whether the NIC takes VLAN tags out of frames. True: this call has changed it.
bool set_vlan_stripping(const std::string& name, bool on);

}  // namespace turnpike::dataplane
