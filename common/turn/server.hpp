// SPDX-License-Identifier: BSD-3-Clause
// The TURN server as a function: bytes, 5-tuple and time in, effects out. No socket, clock, log or global
// randomness.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/crypto.hpp"
#include "common/turn/config.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/former.hpp"
#include "common/turn/nonce.hpp"
#include "common/turn/peer_policies.hpp"
#include "common/turn/refusal_reason.hpp"
#include "common/turn/server_counters.hpp"
#include "common/turn/session_observer.hpp"
#include "common/turn/users.hpp"

namespace turnpike::turn {

class Commons;

// A view of one allocation for `turnpikectl sessions`.
struct SessionView {
  SlotId allocation;
  FiveTuple five_tuple;
  std::string user;
  std::string realm;
  RelayEndpoint relay_v4;  // as advertised; of several sessions when peers are multiplexed
  RelayEndpoint relay_v6;
  Time deadline{};
  std::uint64_t max_bps = 0;  // 0: no limit
  struct Peer {
    PeerEndpoint peer;          // port 0: a permission
    std::uint16_t channel = 0;  // 0: a permission
    Time deadline{};
  };
  std::vector<Peer> peers;
};

class Server {
public:
  // What is given by reference or pointer must outlive the server. Without an observer nobody is told.
  // Servers that share one relay's workers out among them (Config::share) have their commons in common, which
  // any number of threads may use; a server itself and all else that it is given belong to one thread.
  Server(Config config, Crypto& crypto, Users& users, SessionObserver* observer = nullptr,
         Commons* commons = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // One datagram or framed message from a client. `worker` owns the client's 5-tuple (the dataplane decides
  // it). Not kNoLookup: its user is being looked up, and nothing has happened; the same message again once
  // that look-up has ended.
  LookupId handle_client(const FiveTuple& from, WorkerIndex worker, Bytes message, Time now,
                         Effects& effects);
  // One datagram from a peer to a relayed address of a client whose media passes through the server.
  void handle_peer(const RelayEndpoint& relay, const PeerEndpoint& peer, Bytes payload, Time now,
                   Effects& effects);

  // How clients without credentials are answered, for workers that do it themselves. It changes with the
  // nonce key of the day and with the realms.
  struct Challenge {
    std::array<SipKey, 2> nonce_keys;  // the first one makes nonces, those made with either are genuine
    std::string_view realm;            // of who names no origin
    stun::NonceFeatures features;
    std::uint32_t clock_offset_s;  // to be added to our seconds for those in the nonce
  };
  // How many seconds the wall clock is ahead of the clock of `now`; for nonces of a fleet
  // (Config::fleet_key).
  void set_wall_clock(seconds ahead);
  // Nothing: they are served, or refused otherwise.
  std::optional<Challenge> challenge(Time now);

  // When to call on_timeout next; kNever when nothing is pending.
  Time next_timeout() const;
  void on_timeout(Time now, Effects& effects);

  // The worker has applied all facts up to `seq`: what they removed (slots, ports after their rest) may be
  // reused. Refusals of facts up to `seq` must have been told before: read the worker's applied number first,
  // then take its refusals, then call this.
  void on_applied(WorkerIndex worker, std::uint64_t seq, Time now);
  // The worker refused fact `seq`. An Allocate whose relay port is taken gets another one and its success
  // once that is applied, up to eight times; every other request is undone and answered with 508.
  void on_refused(WorkerIndex worker, std::uint64_t seq, Time now, Effects& effects,
                  RefusalReason reason = RefusalReason::kTableFull);

  // Replaces who may be a peer; what is permitted already stays until it runs out.
  void set_peer_policy(PeerPolicies policies);
  // What exists lives on; its bandwidth limit follows at its next Refresh.
  void set_quotas(const Quotas& quotas);
  // While draining, Allocate gets 300 with another server, or 508; what exists lives on, and a reserved port
  // is given to who has its token.
  void set_draining(bool draining);
  // Where a draining server sends clients.
  void set_alternate_servers(const std::vector<wire::Endpoint>& servers);

  // Taking over from a former server of the same workers, before anything else: first the nonce keys, then
  // of each worker every slot from 0 on, allocations before permissions and channels, then the relay ports of
  // allocations that are other servers', and last take_over_rest(). False: that one cannot go on (it is
  // damaged, or its address is no longer served) and is removed.
  void take_over(const NonceKeys::State& nonces);
  bool take_over(const FormerAllocation& former, Time now);
  bool take_over(const FormerPermission& former, Time now);
  bool take_over(const FormerChannel& former, Time now);
  void take_over_port(const RelayEndpoint& relay);
  void take_over_rest(Time now);
  NonceKeys::State nonce_keys(Time now);

  // The worker knows nothing, or nobody knows what it knows: everything is to be said again. restate() says
  // some of it, about `budget` allocations; true while more is left. Until then is_unsaid() tells whose facts
  // need not be passed on, as they will follow.
  void begin_restating(WorkerIndex worker);
  bool restate(WorkerIndex worker, std::size_t budget, Effects& effects);
  bool is_unsaid(const SlotId& allocation) const;

  std::size_t allocation_count() const;
  struct BandwidthUse {
    std::uint64_t handed_out = 0;  // to all allocations with a limit, of all servers
    std::uint64_t capacity = 0;    // 0: endless
  };
  BandwidthUse bandwidth_use() const;
  const ServerCounters& counters() const;
  void for_each_session(const std::function<void(const SessionView&)>& visit) const;
  // The connection of a client on TCP, TLS or DTLS is gone, and its allocation with it (RFC 8656 section 6).
  void client_gone(const FiveTuple& client, Time now, Effects& effects);
  // Ends one allocation (turnpikectl disconnect, ...).
  void remove(SlotId allocation, Effects& effects, EndReason reason = EndReason::kAdmin);

private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::turn
