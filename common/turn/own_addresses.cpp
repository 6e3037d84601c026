// SPDX-License-Identifier: BSD-3-Clause
// Look-ups over a handful of addresses: linear scans.
#include "common/turn/own_addresses.hpp"

#include <algorithm>

namespace turnpike::turn {

using wire::Endpoint;
using wire::IpAddress;

namespace {

bool is_unspecified(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<std::size_t> OwnAddresses::find_relay(const IpAddress& address) const {
  // The own form first: an address that is one relay's own and another's advertised form means the former.
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    if (relays_[i].own == address) return i;
  }
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    if (relays_[i].advertised == address) return i;
  }
  return std::nullopt;
}

IpAddress OwnAddresses::inside(const IpAddress& address) const {
  const auto relay = find_relay(address);
  return relay ? relays_[*relay].own : address;
}

IpAddress OwnAddresses::outside(const IpAddress& address) const {
  for (const RelayAddress& relay : relays_) {
    if (relay.own == address) return relay.advertised;
  }
  return address;
}

Endpoint OwnAddresses::inside(Endpoint endpoint) const {
  endpoint.address = inside(endpoint.address);
  return endpoint;
}

Endpoint OwnAddresses::outside(Endpoint endpoint) const {
  endpoint.address = outside(endpoint.address);
  return endpoint;
}

bool OwnAddresses::permits(const AddressPolicy& policy, const IpAddress& peer) const {
  const PolicyVerdict verdict = policy.judge(peer);
  if (const auto relay = find_relay(peer)) {
    // A relay address may be private; an operator's denial of either form still counts.
    const RelayAddress& forms = relays_[*relay];
    const PolicyVerdict worst = std::max({verdict, policy.judge(forms.own), policy.judge(forms.advertised)});
    return worst < PolicyVerdict::kDenied;
  }
  const IpAddress inner = embedded_ipv4(peer);
  const bool own = std::any_of(services_.begin(), services_.end(), [&](const wire::ServerEndpoint& service) {
    return service.address == peer || (inner.is_v4() && service.address == inner);
  });
  if (own) return local_peers_ && verdict == PolicyVerdict::kAllowed;
  return policy.permits(peer);
}

bool OwnAddresses::permits(const AddressPolicy& policy, const Endpoint& peer) const {
  return permits_port(policy, peer) && permits(policy, peer.address);
}

bool OwnAddresses::permits_port(const AddressPolicy& policy, const Endpoint& peer) const {
  if (peer.port == 0 || is_service(peer)) return false;
  const IpAddress inner = embedded_ipv4(peer.address);
  if (inner.is_v4() && is_service({inner, 0, peer.port})) return false;
  const bool own = find_relay(peer.address) || (inner.is_v4() && find_relay(inner));
  if (!own || relay_ports_.contains(peer.port)) return true;
  return local_peers_ && policy.judge(peer.address) == PolicyVerdict::kAllowed;
}

bool OwnAddresses::is_service(const Endpoint& endpoint) const {
  const auto relay = find_relay(endpoint.address);
  return std::any_of(services_.begin(), services_.end(), [&](const wire::ServerEndpoint& service) {
    if (service.port != endpoint.port || service.address.family != endpoint.address.family) return false;
    if (service.address == endpoint.address) return true;
    if (!relay) return false;
    return is_unspecified(service.address) || service.address == relays_[*relay].own ||
           service.address == relays_[*relay].advertised;
  });
}

}  // namespace turnpike::turn
