// SPDX-License-Identifier: BSD-3-Clause
// The TURN server as a function: bytes, 5-tuple and time in, effects out. No socket, clock, log or global randomness.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/turn/address_policy.hpp"
#include "common/base/crypto.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/users.hpp"

namespace turnpike::turn {

// One relay address: `own` is what the dataplane owns, `advertised` what clients are told (external-ip).
struct RelayAddress {
  IpAddress own;
  IpAddress advertised;
};

struct Config {
  std::string realm;
  std::string software;  // empty: no SOFTWARE attribute
  bool authenticate = true;  // lt-cred-mech; false is no-auth
  WorkerIndex workers = 1;
  std::vector<RelayAddress> relay_addresses;
  std::uint16_t min_port = 49152;
  std::uint16_t max_port = 65535;
  std::vector<ServerEndpoint> service_endpoints;  // listening and admin endpoints: never a peer
  AddressPolicy policy;
  seconds default_lifetime{600};
  seconds max_lifetime{3600};
  seconds permission_lifetime{300};
  seconds channel_lifetime{600};
  seconds nonce_lifetime{600};
  seconds port_rest{10};        // before a freed relay port is given out again
  seconds reservation_hold{30};
  std::uint32_t max_allocations = 16384;  // the next three: slots of each worker, as the dataplane preallocated them
  std::uint32_t max_permissions = 65536;
  std::uint32_t max_channels = 32768;
  std::uint32_t max_permissions_per_allocation = 256;
  std::uint32_t max_channels_per_allocation = 256;
  std::uint32_t user_quota = 0;  // allocations per user, 0 = unlimited
  bool rfc5766_channels = false;  // accept 0x5000-0x7FFF
  bool channel_permission_follows_channel = false;
};

// A view of one allocation for `turnpikectl sessions`.
struct SessionView {
  SlotId allocation;
  FiveTuple five_tuple;
  std::string user;
  RelayEndpoint relay_v4;  // as advertised
  RelayEndpoint relay_v6;
  Time deadline{};
  struct Peer {
    PeerEndpoint peer;          // port 0: a permission
    std::uint16_t channel = 0;  // 0: a permission
    Time deadline{};
  };
  std::vector<Peer> peers;
};

// What the server did, by cause; the names appear in `turnpikectl status`.
struct ServerCounters;

class Server {
 public:
  Server(Config config, Crypto& crypto, const Users& users);
  ~Server();

  // One datagram or framed message from a client. `worker` owns the client's 5-tuple (the dataplane decides it).
  void handle_client(const FiveTuple& from, WorkerIndex worker, Bytes message, Time now, Effects& effects);
  // One datagram from a peer to a relayed address of a client whose media passes through the server.
  void handle_peer(const RelayEndpoint& relay, const PeerEndpoint& peer, Bytes payload, Time now, Effects& effects);

  // When to call on_timeout next; kNever when nothing is pending.
  Time next_timeout() const;
  void on_timeout(Time now, Effects& effects);

  // The worker has applied all facts up to `seq`: what they removed (slots, ports after their rest) may be reused.
  void on_applied(WorkerIndex worker, std::uint64_t seq, Time now);
  // The worker refused fact `seq` (table full, relay socket taken): undo it and answer the waiting request with 508.
  void on_refused(WorkerIndex worker, std::uint64_t seq, Time now, Effects& effects);

  std::size_t allocation_count() const;
  const ServerCounters& counters() const;
  void for_each_session(const std::function<void(const SessionView&)>& visit) const;
  // Ends one allocation (turnpikectl disconnect, dataplane lost, ...).
  void remove(SlotId allocation, Effects& effects);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::turn
