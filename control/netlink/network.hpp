// SPDX-License-Identifier: BSD-3-Clause
// The kernel's view of the network as the rest of control sees it; tests put their own behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/shm/commands.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::control {

using shm::MacAddress;
using wire::IpAddress;

struct Link {
  std::uint32_t ifindex = 0;
  std::string name;
  MacAddress mac{};
  std::uint16_t mtu = 0;
  bool up = false;
  std::uint32_t parent = 0;  // ifindex of the device below a VLAN device, else 0
  std::uint16_t vlan = 0;    // VID of a VLAN device, else 0
  bool service_tag = false;  // VLAN device of 802.1ad
};

struct InterfaceAddress {
  std::uint32_t ifindex = 0;
  IpAddress address;
  std::uint8_t prefix_length = 0;
  bool link_local = false;
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

enum class NeighbourState : std::uint8_t {
  kUnknown,  // the kernel has no answer (yet)
  kUsable,   // MAC valid
  kStale,    // MAC valid, but not confirmed for a while
  kFailed,   // asked and got no answer
};

struct Neighbour {
  NeighbourState state = NeighbourState::kUnknown;
  MacAddress mac{};
};

struct Route {
  std::uint32_t ifindex = 0;
  IpAddress gateway;   // family kNone: the destination is on the link itself; may be of the other family
  bool local = false;  // the kernel delivers it to itself
};

class Network {
public:
  virtual ~Network() = default;
  virtual const Link* link(std::uint32_t ifindex) const = 0;
  virtual std::vector<InterfaceAddress> addresses() const = 0;
  virtual Neighbour neighbour(std::uint32_t ifindex, const IpAddress& address) const = 0;
  // Where the kernel would send a packet from `source` (one of its own addresses, or family kNone).
  virtual std::optional<Route> route(const IpAddress& destination, const IpAddress& source) = 0;
  // Makes the kernel find out, or confirm, the neighbour's MAC; the answer comes as a change later.
  virtual void probe(std::uint32_t ifindex, const IpAddress& neighbour) = 0;
};

}  // namespace turnpike::control
