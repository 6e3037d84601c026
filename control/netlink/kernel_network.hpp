// SPDX-License-Identifier: BSD-3-Clause
// Network on rtnetlink: links, addresses and neighbours mirrored, routes asked for one by one and remembered.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>

#include "common/base/result.hpp"
#include "control/netlink/network.hpp"
#include "control/netlink/parse.hpp"
#include "control/netlink/socket.hpp"

namespace turnpike::control {

class KernelNetwork final : public Network {
public:
  struct Changes {
    bool links = false;
    bool addresses = false;
    bool neighbours = false;
    bool routes = false;  // remembered routes were dropped; also after a change of links and addresses
    bool any() const { return links || addresses || neighbours || routes; }
  };

  // Subscribes first and reads everything afterwards, so that no change falls between.
  static Result<KernelNetwork> open();

  int fd() const { return changes_.fd(); }  // readable when take_changes() has something to do
  Changes take_changes();

  const Link* link(std::uint32_t ifindex) const override;
  std::vector<InterfaceAddress> addresses() const override { return addresses_; }
  Neighbour neighbour(std::uint32_t ifindex, const IpAddress& address) const override;
  std::optional<Route> route(const IpAddress& destination, const IpAddress& source) override;
  void probe(std::uint32_t ifindex, const IpAddress& neighbour) override;

  // Set when the kernel refused probe() for lack of CAP_NET_ADMIN; neighbours then resolve only by other
  // traffic.
  bool probes_refused() const { return probes_refused_; }

private:
  struct PairHash {
    std::size_t operator()(const std::pair<IpAddress, IpAddress>& pair) const noexcept {
      return wire::hash_value({pair.first, 0, 0}, wire::hash_value({pair.second, 0, 0}, 0));
    }
  };

  KernelNetwork(netlink::Socket requests, netlink::Socket changes)
      : requests_(std::move(requests)), changes_(std::move(changes)) {}
  Status read_all();
  Status dump(std::uint16_t type);
  void apply(const nlmsghdr* message, Changes& changed);
  void apply_address(const InterfaceAddress& address, bool added);
  std::optional<Route> ask_route(const IpAddress& destination, const IpAddress& source);

  netlink::Socket requests_;
  netlink::Socket changes_;
  std::unordered_map<std::uint32_t, Link> links_;
  std::vector<InterfaceAddress> addresses_;
  std::map<std::pair<std::uint32_t, IpAddress>, Neighbour> neighbours_;
  std::unordered_map<std::pair<IpAddress, IpAddress>, std::optional<Route>, PairHash> routes_;
  bool probes_refused_ = false;
};

}  // namespace turnpike::control
