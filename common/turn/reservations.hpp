// SPDX-License-Identifier: BSD-3-Clause
// Ports held for who brings the token (EVEN-PORT with R = 1 and RESERVATION-TOKEN, RFC 8656 section 7.2).
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/stun/attributes.hpp"
#include "common/turn/port_pool.hpp"

namespace turnpike::turn {

class Reservations {
public:
  Reservations(Time hold, std::uint32_t capacity) : hold_(hold), capacity_(capacity) {}

  bool full() const { return order_.size() >= capacity_; }

  // False: another port has this token.
  bool hold(const stun::ReservationToken& token, RelayPort port, Time now) {
    if (!held_.emplace(key(token), Held{port, now + hold_}).second) return false;
    order_.push_back(key(token));
    return true;
  }

  // A token works once and while it is held, from any 5-tuple.
  std::optional<RelayPort> find(const stun::ReservationToken& token, Time now) const {
    const auto found = held_.find(key(token));
    if (found == held_.end() || found->second.until <= now) return std::nullopt;
    return found->second.port;
  }
  // The port that was held, if it still was.
  std::optional<RelayPort> remove(const stun::ReservationToken& token) {
    const auto found = held_.find(key(token));
    if (found == held_.end()) return std::nullopt;
    const RelayPort port = found->second.port;
    held_.erase(found);
    return port;
  }

  // Adds the ports that nobody came for. All are held equally long: the oldest come first.
  void expire(Time now, std::vector<RelayPort>& free) {
    while (!order_.empty()) {
      const auto found = held_.find(order_.front());
      if (found != held_.end()) {
        if (found->second.until > now) return;
        free.push_back(found->second.port);
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

  Time hold_;
  std::uint32_t capacity_;
  std::unordered_map<std::uint64_t, Held> held_;  // keys are random: nobody can choose colliding ones
  std::deque<std::uint64_t> order_;
};

}  // namespace turnpike::turn
