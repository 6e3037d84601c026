// SPDX-License-Identifier: BSD-3-Clause
// What the operator decides about the TURN server.
#pragma once

#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/base/worker_share.hpp"
#include "common/turn/address_policy.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/own_addresses.hpp"
#include "common/turn/shared_ports.hpp"

namespace turnpike::turn {

// Of realms that have none of their own, but for the last; 0: no limit.
struct Quotas {
  std::uint32_t user = 0;          // allocations of one user
  std::uint32_t total = 0;         // of all users of a realm
  std::uint64_t max_bps = 0;       // bytes per second of one allocation, each direction
  std::uint64_t bps_capacity = 0;  // of all allocations of all realms that have such a limit
};

struct Config {
  std::string realm;
  std::string software;               // empty: no SOFTWARE attribute
  bool authenticate = true;           // lt-cred-mech; false is no-auth
  bool authenticate_binding = false;  // secure-stun
  bool stun_only = false;             // Binding alone is served
  WorkerIndex workers = 1;            // of the relay
  WorkerShare share;                  // those that this server has; several share its Commons
  std::vector<RelayAddress> relay_addresses;
  std::uint16_t min_port = 49152;
  std::uint16_t max_port = 65535;
  std::vector<ServerEndpoint> service_endpoints;  // listening and admin endpoints: never a peer
  bool local_peers = false;                       // see OwnAddresses
  AddressPolicy policy;
  std::vector<wire::Endpoint> alternate_servers;  // see Alternates
  seconds default_lifetime{600};
  seconds max_lifetime{3600};
  seconds permission_lifetime{300};
  seconds channel_lifetime{600};
  seconds nonce_lifetime{600};
  std::string fleet_key;  // see NonceKeys
  seconds port_rest{10};  // before a freed relay port is given out again
  seconds reservation_hold{30};
  std::uint32_t max_allocations =
      16384;  // the next three: slots of each worker, as the dataplane preallocated them
  std::uint32_t max_permissions = 65536;
  std::uint32_t max_channels = 32768;
  std::uint32_t max_permissions_per_allocation = 256;
  std::uint32_t max_channels_per_allocation = 256;
  Quotas quotas;
  std::uint64_t facts_before = 0;           // the first fact of each worker has the next number
  std::uint32_t max_pending_facts = 65536;  // of one worker; requests are dropped while it is that far behind
  std::uint32_t max_reservations = 16384;
  std::uint32_t max_remembered_deletions = 65536;  // for repeated Refresh requests with lifetime 0
  bool rfc5766_channels = false;                   // accept 0x5000-0x7FFF
  bool channel_permission_follows_channel = false;
  bool multiplex_peer = false;  // allocations share relay ports; min_port and max_port mean nothing then
  std::uint16_t multiplex_peer_port = 3480;
  std::uint16_t multiplex_ports_per_worker = 1;

  bool serves(WorkerIndex worker) const { return worker < workers && share.has(worker); }
  SharedPorts shared_ports() const { return {multiplex_peer_port, multiplex_ports_per_worker, workers}; }
  // Between the first and the last port that a relayed address may have.
  PortRange relay_ports() const {
    return multiplex_peer ? shared_ports().range() : PortRange{min_port, max_port};
  }
};

}  // namespace turnpike::turn
