// SPDX-License-Identifier: BSD-3-Clause
// A network as the test says it is.
#pragma once

#include <map>
#include <vector>

#include "control/netlink/network.hpp"

namespace turnpike::control::test {

inline wire::IpAddress ip(std::string_view text) { return wire::parse_address(text).value(); }

inline MacAddress mac(std::uint8_t last) { return {0x02, 0, 0, 0, 0, last}; }

class FakeNetwork final : public Network {
public:
  std::map<std::uint32_t, Link> links;
  std::vector<InterfaceAddress> all_addresses;
  std::map<std::pair<std::uint32_t, IpAddress>, Neighbour> neighbours;
  std::map<IpAddress, Route> routes;  // by destination
  std::vector<std::pair<std::uint32_t, IpAddress>> probes;
  std::vector<IpAddress> sources;  // asked for

  void add_link(std::uint32_t ifindex, const MacAddress& mac, std::uint16_t mtu = 1500) {
    Link link;
    link.ifindex = ifindex;
    link.mac = mac;
    link.mtu = mtu;
    link.up = true;
    links[ifindex] = link;
  }
  void add_vlan(std::uint32_t ifindex, std::uint32_t parent, std::uint16_t vlan, bool service_tag = false) {
    add_link(ifindex, links[parent].mac, links[parent].mtu);
    links[ifindex].parent = parent;
    links[ifindex].vlan = vlan;
    links[ifindex].service_tag = service_tag;
  }

  const Link* link(std::uint32_t ifindex) const override {
    const auto found = links.find(ifindex);
    return found == links.end() ? nullptr : &found->second;
  }
  std::vector<InterfaceAddress> addresses() const override { return all_addresses; }
  Neighbour neighbour(std::uint32_t ifindex, const IpAddress& address) const override {
    const auto found = neighbours.find({ifindex, address});
    return found == neighbours.end() ? Neighbour{} : found->second;
  }
  std::optional<Route> route(const IpAddress& destination, const IpAddress& source) override {
    sources.push_back(source);
    const auto found = routes.find(destination);
    if (found == routes.end()) return std::nullopt;
    return found->second;
  }
  void probe(std::uint32_t ifindex, const IpAddress& neighbour) override {
    probes.emplace_back(ifindex, neighbour);
  }
};

}  // namespace turnpike::control::test
