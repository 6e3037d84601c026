// SPDX-License-Identifier: BSD-3-Clause
// Choice and checks of listening and relay addresses.
#include "control/runtime/addresses.hpp"

#include <algorithm>

namespace turnpike::control {
namespace {

using wire::Family;
using wire::IpAddress;

template <typename List, typename Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string joined(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) text += (text.empty() ? "" : ", ") + wire::to_string(address);
  return text.empty() ? "none" : text;
}

bool unspecified(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool loopback(const IpAddress& address) {
  if (address.is_v4()) return address.bytes[0] == 127;
  return address == wire::parse_address("::1");
}

// Whether a socket port listens on an address of the machine.
bool listens_on(std::span<const PortInfo> ports, const IpAddress& address) {
  return std::any_of(ports.begin(), ports.end(), [&](const PortInfo& port) {
    const auto listener = socket_listener(port);
    return listener && (listener->address == address ||
                        (listener->address.family == address.family && unspecified(listener->address)));
  });
}

std::vector<IpAddress> carried_by_ports(std::span<const PortInfo> ports, const Network& network) {
  std::vector<IpAddress> carried;
  for (const InterfaceAddress& entry : network.addresses()) {
    if (!entry.link_local && !contains(carried, entry.address) &&
        (locate_netdev(network, ports, entry.ifindex) || listens_on(ports, entry.address))) {
      carried.push_back(entry.address);
    }
  }
  // The first one is what "ready:" shows.
  std::stable_partition(carried.begin(), carried.end(), [](const IpAddress& a) { return !loopback(a); });
  return carried;
}

// What relay sockets can be bound to. Loopback last: peers elsewhere cannot reach it.
std::vector<IpAddress> machine_addresses(const Network& network) {
  std::vector<IpAddress> found;
  for (const InterfaceAddress& entry : network.addresses()) {
    if (!entry.link_local && !contains(found, entry.address)) found.push_back(entry.address);
  }
  return found;
}

// Relay addresses that nobody named: loopback only where a family has nothing else.
std::vector<IpAddress> without_needless_loopback(std::vector<IpAddress> addresses) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool others = std::any_of(addresses.begin(), addresses.end(), [&](const IpAddress& address) {
      return address.family == family && !loopback(address);
    });
    if (others) std::erase_if(addresses, [&](auto& a) { return a.family == family && loopback(a); });
  }
  return addresses;
}

Result<std::vector<IpAddress>> choose(const char* option, const std::vector<IpAddress>& given,
                                      std::span<const PortInfo> ports,
                                      const std::vector<IpAddress>& carried) {
  if (given.empty() && carried.empty()) {
    return Error{std::string(option) + ": the ports carry no address; give --" + option +
                 ", or give the ports' netdevs addresses first"};
  }
  if (given.empty()) return carried;
  // A port without netdev has no addresses that anybody could look up: what is said of it must be believed.
  const bool believed = std::any_of(ports.begin(), ports.end(), [](const PortInfo& port) {
    return port.ifindex == 0 && port.kind != shm::PortKind::kSocket;
  });
  for (const IpAddress& address : given) {
    if (!believed && !contains(carried, address)) {
      return Error{std::string(option) + "=" + wire::to_string(address) +
                   ": no port's netdev carries it (they carry " + joined(carried) +
                   "); add it with: ip address add " + wire::to_string(address) + "/" +
                   (address.is_v4() ? "32" : "128") + " dev DEVICE"};
    }
  }
  return given;
}

// The form in which clients know the relay addresses.
Result<std::vector<turn::RelayAddress>> advertise(const std::vector<IpAddress>& relays,
                                                  const std::vector<ExternalIp>& externals) {
  std::vector<turn::RelayAddress> out;
  for (const IpAddress& relay : relays) out.push_back({relay, relay});
  for (const ExternalIp& external : externals) {
    std::vector<turn::RelayAddress*> meant;
    for (turn::RelayAddress& relay : out) {
      const bool named = external.own.family == Family::kNone ? relay.own.family == external.advertised.family
                                                              : relay.own == external.own;
      if (named) meant.push_back(&relay);
    }
    const std::string text = "external-ip=" + wire::to_string(external.advertised);
    if (meant.empty()) return Error{text + ": there is no such relay-ip (they are " + joined(relays) + ")"};
    if (meant.size() > 1)
      return Error{text + ": several relay addresses; write PUBLIC/PRIVATE for each of them"};
    if (meant.front()->advertised != meant.front()->own) {
      return Error{text + ": " + wire::to_string(meant.front()->own) +
                   " has another external address already"};
    }
    meant.front()->advertised = external.advertised;
  }
  return out;
}

Status check_ranges(const ControlOptions& options, const ServedAddresses& served) {
  const PortRange range = options.turn.relay_ports();
  if (range.empty()) {
    return Error{
        "multiplex-peer-port=" + std::to_string(options.turn.multiplex_peer_port) +
        ": two ports for each of the workers' shared ports do not fit below 65536; choose a smaller one"};
  }
  for (const turn::RelayAddress& relay : served.relays) {
    if (!contains(served.listening, relay.own)) continue;
    if (options.listeners.dtls && range.contains(options.listeners.tls_port)) {
      return Error{"tls-listening-port=" + std::to_string(options.listeners.tls_port) +
                   " lies in the relay range of " + wire::to_string(relay.own) +
                   "; move it, or give --no-dtls"};
    }
    if (range.contains(options.listening_port)) {
      return Error{"listening-port=" + std::to_string(options.listening_port) + " lies in the relay range " +
                   std::to_string(range.first) + "-" + std::to_string(range.last) + " of " +
                   wire::to_string(relay.own) + "; move one of them (listening-port, " +
                   (options.turn.multiplex_peer ? "multiplex-peer-port)" : "min-port, max-port)")};
    }
  }
  return Unit{};
}

}  // namespace

Result<ServedAddresses> choose_addresses(const ControlOptions& options, std::span<const PortInfo> ports,
                                         const Network& network) {
  const std::vector<IpAddress> carried = carried_by_ports(ports, network);
  auto listening = choose("listening-ip", options.listening_ips, ports, carried);
  if (!listening) return Error{listening.error()};
  const bool sockets = !ports.empty() && ports.front().kind == shm::PortKind::kSocket;
  const auto relay_choice = !sockets                    ? carried
                            : options.relay_ips.empty() ? without_needless_loopback(carried)
                                                        : machine_addresses(network);
  auto relays = choose("relay-ip", options.relay_ips, ports, relay_choice);
  if (!relays) return Error{relays.error()};
  auto advertised = advertise(*relays, options.external_ips);
  if (!advertised) return Error{advertised.error()};
  ServedAddresses served{std::move(*listening), std::move(*advertised), sockets};
  if (auto checked = check_ranges(options, served); !checked) return Error{checked.error()};
  if (served.facts(options, options.turn.relay_ports()).size() > shm::kMaxLocalAddresses) {
    return Error{"listening-ip, relay-ip: more than " + std::to_string(shm::kMaxLocalAddresses) +
                 " addresses; give fewer"};
  }
  return served;
}

std::vector<shm::LocalAddress> ServedAddresses::facts(const ControlOptions& options,
                                                      const PortRange& relay_ports) const {
  std::vector<shm::LocalAddress> facts;
  const auto fact_of = [&](const IpAddress& address) -> shm::LocalAddress& {
    for (shm::LocalAddress& fact : facts) {
      if (fact.address == address) return fact;
    }
    facts.emplace_back();
    facts.back().index = static_cast<std::uint16_t>(facts.size() - 1);
    facts.back().address = address;
    return facts.back();
  };
  for (const IpAddress& address : listening) fact_of(address).listener_port = options.listening_port;
  for (const turn::RelayAddress& relay : relays) {
    shm::LocalAddress& fact = fact_of(relay.own);
    fact.relay_min = relay_ports.first;
    fact.relay_max = relay_ports.last;
    if (relay.advertised != relay.own) fact.advertised = relay.advertised;
  }
  if (!kernel_sockets) return facts;
  for (shm::LocalAddress& fact : facts) {
    const bool allowed = options.turn.policy.judge(fact.address) == turn::PolicyVerdict::kAllowed;
    fact.local_peers = allowed ? 1 : 0;
    fact.dtls = options.listeners.dtls ? 1 : 0;
    if (contains(listening, fact.address)) fact.services = options.listeners.other_ports();
  }
  return facts;
}

std::vector<wire::ServerEndpoint> ServedAddresses::listening_endpoints(const ControlOptions& options) const {
  std::vector<wire::ServerEndpoint> endpoints;
  for (const IpAddress& address : listening)
    endpoints.emplace_back(wire::Endpoint{address, 0, options.listening_port});
  return endpoints;
}

std::vector<wire::ServerEndpoint> ServedAddresses::service_endpoints(const ControlOptions& options) const {
  std::vector<wire::ServerEndpoint> endpoints;
  const auto add = [&](const IpAddress& address) {
    endpoints.emplace_back(wire::Endpoint{address, 0, options.listening_port});
    for (const std::uint16_t port : options.listeners.other_ports()) {
      if (port != 0) endpoints.emplace_back(wire::Endpoint{address, 0, port});
    }
  };
  for (const IpAddress& address : listening) add(address);
  for (const ExternalIp& external : options.external_ips) {
    const bool is_listener = external.own.family == Family::kNone || contains(listening, external.own);
    if (is_listener) add(external.advertised);
  }
  return endpoints;
}

}  // namespace turnpike::control
