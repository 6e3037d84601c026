// SPDX-License-Identifier: BSD-3-Clause
// This server's own addresses as peers: relayed addresses may be (two clients of one relay calling each
// other), service endpoints never.
#pragma once

#include <optional>
#include <vector>

#include "common/base/steering.hpp"
#include "common/turn/address_policy.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

// One relay address: `own` is what the dataplane owns, `advertised` what clients are told (external-ip).
struct RelayAddress {
  wire::IpAddress own;
  wire::IpAddress advertised;
};

// Behind 1:1 NAT a client names another client's relayed address in its advertised form, but inside (facts,
// packets, the records here) that address always stands in its own form; what a client is shown is the
// advertised form again.
class OwnAddresses {
public:
  // A service endpoint with the unspecified address means that port on every own address.
  // `local_peers`: other programs live on these addresses (kernel sockets) and may be peers where
  // allowed-peer-ip names the address; never the service endpoints.
  OwnAddresses(std::vector<RelayAddress> relays, PortRange relay_ports,
               std::vector<wire::ServerEndpoint> services, bool local_peers = false)
      : relays_(std::move(relays)),
        relay_ports_(relay_ports),
        services_(std::move(services)),
        local_peers_(local_peers) {}

  const std::vector<RelayAddress>& relays() const { return relays_; }
  // Position of the relay address that `address` names in either form.
  std::optional<std::size_t> find_relay(const wire::IpAddress& address) const;

  wire::IpAddress inside(const wire::IpAddress& address) const;   // advertised -> own
  wire::IpAddress outside(const wire::IpAddress& address) const;  // own -> advertised
  wire::Endpoint inside(wire::Endpoint endpoint) const;
  wire::Endpoint outside(wire::Endpoint endpoint) const;

  // May a permission be made for this address (as the client named it)? Ports do not count there.
  bool permits(const AddressPolicy& policy, const wire::IpAddress& peer) const;
  // May data go to this very endpoint?
  bool permits(const AddressPolicy& policy, const wire::Endpoint& peer) const;

  // The port rule alone, for a Send indication under a permission that passed the policy: port 0, service
  // endpoints and, unless local peers are allowed, own ports outside the relay range are refused.
  bool permits_port(const AddressPolicy& policy, const wire::Endpoint& peer) const;

private:
  bool is_service(const wire::Endpoint& endpoint) const;

  std::vector<RelayAddress> relays_;
  PortRange relay_ports_;
  std::vector<wire::ServerEndpoint> services_;
  bool local_peers_;
};

}  // namespace turnpike::turn
