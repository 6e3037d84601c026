// SPDX-License-Identifier: BSD-3-Clause
// Walks from a netdev down to the port below it.
#include "control/relay/port_location.hpp"

namespace turnpike::control {

std::optional<wire::Endpoint> socket_listener(const PortInfo& port) {
  constexpr std::string_view kPrefix = "socket:";
  const std::string_view name = port.name;
  if (port.kind != shm::PortKind::kSocket || !name.starts_with(kPrefix)) return std::nullopt;
  return wire::parse_endpoint(name.substr(kPrefix.size(), name.find(',') - kPrefix.size()));
}

std::optional<PortLocation> locate_netdev(const Network& network, std::span<const PortInfo> ports,
                                          std::uint32_t ifindex) {
  PortLocation location;
  std::uint16_t* const tags[] = {&location.vlan, &location.outer_vlan};
  // The inner tag belongs to the topmost VLAN device; a frame carries two at most.
  for (std::size_t depth = 0; ifindex != 0; ++depth) {
    for (std::size_t port = 0; port < ports.size(); ++port) {
      if (ports[port].ifindex != ifindex) continue;
      location.port = static_cast<std::uint16_t>(port);
      return location;
    }
    const Link* link = network.link(ifindex);
    if (link == nullptr || link->vlan == 0 || depth == std::size(tags)) return std::nullopt;
    // A single 802.1ad tag is an outer one without an inner one.
    *tags[depth == 0 && link->service_tag ? 1 : depth] = link->vlan;
    ifindex = link->parent;
  }
  return std::nullopt;
}

}  // namespace turnpike::control
