// SPDX-License-Identifier: BSD-3-Clause
// RFC 8656 as lists and linear scans: predicts every answer and says who may send to whom. It shares no code
// with the server but the wire types.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/stun/attributes.hpp"
#include "common/turn/effects.hpp"
#include "tests/model/fact_tables.hpp"

namespace turnpike::model {

// A request as the model sees it; the driver writes the same as bytes.
struct Intent {
  stun::Method method{};
  stun::TransactionId transaction{};
  FiveTuple client;
  WorkerIndex worker = 0;
  std::string user;
  std::optional<std::uint32_t> lifetime;
  int family = 0;     // REQUESTED-ADDRESS-FAMILY, 0: absent
  bool dual = false;  // ADDITIONAL-ADDRESS-FAMILY = IPv6
  int even = 0;       // EVEN-PORT: 0 absent, 1 even, 2 even and reserve
  std::optional<stun::ReservationToken> token;
  std::vector<Endpoint> peers;
  std::uint16_t channel = 0;
};

struct Limits {
  WorkerIndex workers = 2;
  std::uint16_t min_port = 50001;
  std::uint16_t max_port = 50020;
  std::size_t allocations = 8;  // slots of a worker
  std::size_t permissions = 14;
  std::size_t channels = 10;
  std::size_t permissions_each = 5;
  std::size_t channels_each = 4;
  std::size_t quota = 4;
  std::uint64_t max_bps = 100;  // 0: no limit; changed in the course of a talk, as the next one
  std::uint64_t bps_capacity = 0;
  Time rest = seconds(10);
};

struct Leg {
  Endpoint relay;
  Time deadline{};
};
struct Record {  // an allocation
  FiveTuple client;
  WorkerIndex worker = 0;
  std::string user;
  std::uint64_t max_bps = 0;
  stun::TransactionId created_by{};
  stun::TransactionId latest{};
  std::uint64_t latest_fact = 0;
  std::map<int, Leg> legs;  // by family number
  std::map<IpAddress, Time> permissions;
  struct Bound {
    Endpoint peer;
    Time deadline{};
  };
  std::map<std::uint16_t, Bound> channels;
};
struct Deletion {
  FiveTuple client;
  stun::TransactionId transaction{};
  WorkerIndex worker = 0;
  std::uint64_t fact = 0;
  Time until{};
};
struct Reservation {
  stun::ReservationToken token;
  Endpoint relay;
  Time until{};
};

// What the answer must be. No answer at all: the first copy's is on its way.
struct Prediction {
  bool answered = true;
  int error = 0;
  std::optional<std::uint32_t> lifetime;
  std::vector<Endpoint> relayed;  // known beforehand for repetitions and tokens
  int failed_family = 0;
  bool creates = false;
  bool shrinks = false;  // deletes one family of two
};

class NaiveTurn {
public:
  // Objects that ran out are allowed to stay known to the packet path this long: two ticks of the timer
  // wheel.
  static constexpr Time kGhost = Time(std::int64_t{2} << 27);

  explicit NaiveTurn(Limits limits) : limits(limits) {}

  // `emitted` and `applied`: what the facts said so far, and what the workers know of it (slots in use are in
  // either).
  Prediction serve(const Intent& intent, Time now, const FactTables& emitted, const FactTables& applied,
                   const std::map<WorkerIndex, std::uint64_t>& applied_seq);
  // After a successful Allocate or any request with facts.
  void adopt(const Intent& intent, const Prediction& prediction, const std::vector<Endpoint>& relayed,
             const std::optional<stun::ReservationToken>& token, Time now);
  void note_facts(const Intent& intent, std::uint64_t last_fact);
  void remove(const FiveTuple& client) {
    std::erase_if(records, [&](const Record& r) { return r.client == client; });
  }
  // A leg that the workers have forgotten.
  void rest(const Endpoint& relay, Time now) { resting[relay] = now + limits.rest; }
  void purge(Time now);
  bool has_ghost_allocations(Time now) const;
  // The bandwidth limit of a record, and another one for it.
  std::uint64_t max_bps_of(const FiveTuple& client) const;
  void set_max_bps(const FiveTuple& client, std::uint64_t max_bps);

  const Record* find(const FiveTuple& client, Time now) const;
  bool may_send(const FiveTuple& client, const Endpoint& peer, Time now) const;
  std::optional<Endpoint> channel_target(const FiveTuple& client, std::uint16_t number, Time now) const;
  std::optional<std::uint16_t> may_receive(const Endpoint& relay, const Endpoint& peer, Time now) const;

  // The facts must say just what is here, ghosts aside.
  void compare(const FactTables& facts, Time now) const;

  Limits limits;
  std::list<Record> records;
  std::list<Deletion> deletions;
  std::list<Reservation> reservations;
  std::map<Endpoint, Time> resting;

private:
  using Tables = std::pair<const FactTables&, const FactTables&>;
  Prediction serve_allocate(const Intent& intent, Time now, const Tables& tables);
  Prediction serve_refresh(const Intent& intent, Record& record, Time now);
  Prediction serve_permission(const Intent& intent, Record& record, Time now, const Tables& tables);
  Prediction serve_bind(const Intent& intent, Record& record, Time now, const Tables& tables);
  std::vector<int> free_ports(int family, WorkerIndex worker, int even, Time now, const Tables& tables) const;
  bool is_free(const Endpoint& relay, Time now, const Tables& tables) const;
  std::size_t live_permissions(const Record& record, Time now) const;
  std::uint64_t left_for(const FiveTuple& client) const;
};

// The world of the test: one relay address a family, some peers allowed and some not.
IpAddress relay_address(int family);
bool is_allowed_peer(const Endpoint& peer, const Limits& limits, bool with_port);
// The owner of a port by counting: pairs are dealt out in order.
WorkerIndex naive_owner(int port, const Limits& limits);

}  // namespace turnpike::model
