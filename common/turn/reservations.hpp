// SPDX-License-Identifier: BSD-3-Clause
// Ports held for who brings the token (EVEN-PORT with R = 1 and RESERVATION-TOKEN, RFC 8656 section 7.2).
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "common/stun/attributes.hpp"
#include "common/turn/port_pool.hpp"

namespace turnpike::turn {

class Reservations {
public:
  Reservations(PortPool& ports, RandomSource& random, Time hold, std::uint32_t capacity)
      : ports_(ports), random_(random), hold_(hold), capacity_(capacity) {}

  bool full() const { return order_.size() >= capacity_; }

  stun::ReservationToken hold(RelayPort port, Time now) {
    stun::ReservationToken token;
    do {
      token = random_.value<stun::ReservationToken>();
    } while (!held_.emplace(key(token), Held{port, now + hold_}).second);
    order_.push_back(key(token));
    return token;
  }

  // A token works once and while it is held, from any 5-tuple.
  std::optional<RelayPort> find(const stun::ReservationToken& token, Time now) const {
    const auto found = held_.find(key(token));
    if (found == held_.end() || found->second.until <= now) return std::nullopt;
    return found->second.port;
  }
  void consume(const stun::ReservationToken& token) { held_.erase(key(token)); }
  // Nobody was told of the token: its port is free again, if it is still held.
  void give_back(const stun::ReservationToken& token) {
    const auto found = held_.find(key(token));
    if (found == held_.end()) return;
    ports_.put_back(found->second.port);
    held_.erase(found);
  }

  // All are held equally long: the oldest come first.
  void expire(Time now) {
    while (!order_.empty()) {
      const auto found = held_.find(order_.front());
      if (found != held_.end()) {
        if (found->second.until > now) return;
        ports_.put_back(found->second.port);
        held_.erase(found);
      }
      order_.pop_front();
    }
  }

private:
  struct Held {
    RelayPort port;
    Time until;
  };
  static std::uint64_t key(const stun::ReservationToken& token) {
    return std::bit_cast<std::uint64_t>(token);
  }

  PortPool& ports_;
  RandomSource& random_;
  Time hold_;
  std::uint32_t capacity_;
  std::unordered_map<std::uint64_t, Held> held_;  // keys are random: nobody can choose colliding ones
  std::deque<std::uint64_t> order_;
};

}  // namespace turnpike::turn
