// SPDX-License-Identifier: BSD-3-Clause
// Which addresses are served: from the options, or all that the ports' netdevs carry.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/shm/commands.hpp"
#include "control/netlink/network.hpp"
#include "control/options.hpp"
#include "control/relay/port_location.hpp"

namespace turnpike::control {

struct ServedAddresses {
  std::vector<wire::IpAddress> listening;
  std::vector<turn::RelayAddress> relays;
  bool kernel_sockets = false;

  // One fact for each distinct address, index by position.
  std::vector<shm::LocalAddress> facts(const ControlOptions& options, const PortRange& relay_ports) const;
  // What the dataplane's listeners are bound to.
  std::vector<wire::ServerEndpoint> listening_endpoints(const ControlOptions& options) const;
  // Where peers must never be: the listening endpoints, also in the form that external-ip gives them.
  std::vector<wire::ServerEndpoint> service_endpoints(const ControlOptions& options) const;
};

Result<ServedAddresses> choose_addresses(const ControlOptions& options, std::span<const PortInfo> ports,
                                         const Network& network);

}  // namespace turnpike::control
