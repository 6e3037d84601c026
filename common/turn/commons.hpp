// SPDX-License-Identifier: BSD-3-Clause
// What the servers of one relay have in common, each on a thread of its own with workers of its own: whose
// allocations count, bandwidth that is handed out, reserved ports. Any thread may call; a call locks for a
// few steps among its own records and calls nobody.
#pragma once

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/turn/bandwidth.hpp"
#include "common/turn/config.hpp"
#include "common/turn/random_source.hpp"
#include "common/turn/reservations.hpp"
#include "common/turn/user_table.hpp"

namespace turnpike::turn {

class Commons {
public:
  // `config` is any of the servers': its share apart they are the same.
  Commons(const Config& config, std::uint64_t seed);

  // Counts one more allocation of the user. Null: a quota (0: none) is reached. What the pointer leads to
  // does not change until leave().
  UserTable::User* join(const UserName& user, std::uint32_t user_quota, std::uint32_t total_quota);
  // One that a former server counted, with what it held: no quota can refuse it any more.
  UserTable::User* rejoin(const UserName& user, std::uint64_t max_bps);
  // One allocation less, and its bandwidth is free again.
  void leave(UserTable::User* user, std::uint64_t max_bps);

  // Of all servers; those count too whose request is being looked at.
  std::size_t allocation_count() const;

  // See BandwidthLedger. What they return is handed out.
  std::uint64_t take_bandwidth(std::uint64_t wanted, std::uint64_t capacity);
  std::uint64_t change_bandwidth(std::uint64_t wanted, std::uint64_t held, std::uint64_t capacity);
  std::uint64_t bandwidth_handed_out() const;

  // Servers that ask at the same moment may go beyond the capacity by one each.
  bool reservations_full() const;
  stun::ReservationToken reserve(RelayPort port, Time now, RandomSource& random);
  // One that a former server gave away. False: this token is held already, or no room is left.
  bool hold_again(const stun::ReservationToken& token, RelayPort port, Time made);
  std::optional<RelayPort> find_reserved(const stun::ReservationToken& token, Time now) const;
  // Whoever comes first has it.
  std::optional<RelayPort> redeem(const stun::ReservationToken& token, Time now);
  // Nobody was told of the token: the port is the caller's again, if it is still held.
  std::optional<RelayPort> withdraw(const stun::ReservationToken& token);

  // Ports of a server that came free elsewhere: reserved ones that nobody came for, and those that a client
  // of another server had by their token (they have to rest).
  struct ReturnedPort {
    RelayPort port;
    bool rests = false;
  };
  void give_back(RelayPort port);
  std::vector<ReturnedPort> take_returned(const WorkerShare& share, Time now);

private:
  std::vector<ReturnedPort>& returned_to(RelayPort port);

  const WorkerIndex workers_;
  const PortRange ports_;
  mutable std::mutex mutex_;  // of what follows
  UserTable users_;
  std::size_t allocations_ = 0;
  BandwidthLedger bandwidth_;
  Reservations reservations_;
  std::vector<std::vector<ReturnedPort>> returned_;  // by server
  std::vector<RelayPort> expired_;                   // scratch
};

// What a new allocation takes of the commons; given back unless it is kept.
class Place {
public:
  explicit Place(Commons& commons) : commons_(commons) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    if (user_ != nullptr) commons_.leave(user_, max_bps_);
  }

  // First of all. False: a quota is reached.
  bool join(const UserName& user, std::uint32_t user_quota, std::uint32_t total_quota) {
    user_ = commons_.join(user, user_quota, total_quota);
    return user_ != nullptr;
  }
  // False: nothing is left.
  bool take_bandwidth(std::uint64_t wanted, std::uint64_t capacity) {
    max_bps_ = commons_.take_bandwidth(wanted, capacity);
    return max_bps_ != 0;
  }
  struct Kept {
    UserTable::User* user;
    std::uint64_t max_bps;
  };
  Kept keep() { return {std::exchange(user_, nullptr), std::exchange(max_bps_, 0)}; }

private:
  Commons& commons_;
  UserTable::User* user_ = nullptr;
  std::uint64_t max_bps_ = 0;
};

}  // namespace turnpike::turn
