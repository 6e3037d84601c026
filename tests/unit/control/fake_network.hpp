// SPDX-License-Identifier: BSD-3-Clause
// A network as the test says it is.
#pragma once

#include <map>
#include <vector>

#include "control/netlink/network.hpp"

namespace turnpike::test {

inline wire::IpAddress ip(std::string_view text) { return wire::parse_address(text).value(); }

inline control::MacAddress mac(std::uint8_t last) { return {0x02, 0, 0, 0, 0, last}; }

class FakeNetwork final : public control::Network {
public:
  std::map<std::uint32_t, control::Link> links;
  std::vector<control::InterfaceAddress> all_addresses;
  std::map<std::pair<std::uint32_t, wire::IpAddress>, control::Neighbour> neighbours;
  std::map<wire::IpAddress, control::Route> routes;  // by destination
  std::vector<std::pair<std::uint32_t, wire::IpAddress>> probes;
  std::vector<wire::IpAddress> sources;  // asked for

  void add_link(std::uint32_t ifindex, const control::MacAddress& mac, std::uint16_t mtu = 1500) {
    control::Link link;
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

  const control::Link* link(std::uint32_t ifindex) const override {
    const auto found = links.find(ifindex);
    return found == links.end() ? nullptr : &found->second;
  }
  std::vector<control::InterfaceAddress> addresses() const override { return all_addresses; }
  control::Neighbour neighbour(std::uint32_t ifindex, const wire::IpAddress& address) const override {
    const auto found = neighbours.find({ifindex, address});
    return found == neighbours.end() ? control::Neighbour{} : found->second;
  }
  std::optional<control::Route> route(const wire::IpAddress& destination,
                                      const wire::IpAddress& source) override {
    sources.push_back(source);
    const auto found = routes.find(destination);
    if (found == routes.end()) return std::nullopt;
    return found->second;
  }
  void probe(std::uint32_t ifindex, const wire::IpAddress& neighbour) override {
    probes.emplace_back(ifindex, neighbour);
  }
};

}  // namespace turnpike::test
