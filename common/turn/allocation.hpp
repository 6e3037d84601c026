// SPDX-License-Identifier: BSD-3-Clause
// The records behind an allocation: itself, its permissions, its channels. They live in slots of one worker
// and refer to each other by index.
#pragma once

#include <algorithm>
#include <vector>

#include "common/stun/attributes.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/port_pool.hpp"
#include "common/turn/timer_wheel.hpp"
#include "common/turn/user_table.hpp"

namespace turnpike::turn {

inline constexpr std::uint32_t kNoIndex = 0xFFFFFFFF;

// What is dead at `now`: a deadline is the first moment without the thing.
inline bool has_passed(Time deadline, Time now) { return deadline <= now; }

struct Permission {  // RFC 8656 section 9: of one IP address, ports do not count
  IpAddress peer;    // inside form
  Time deadline{};
  std::uint32_t allocation = kNoIndex;
  std::uint32_t next = kNoIndex;  // of the same allocation
  // Other allocations' permissions of the same address on the same shared relay port.
  std::uint32_t next_sharer = kNoIndex;
  std::uint32_t previous_sharer = kNoIndex;
  TimerNode timer;
};

struct Channel {      // RFC 8656 section 12
  PeerEndpoint peer;  // inside form
  std::uint16_t number = 0;
  Time deadline{};
  std::uint32_t allocation = kNoIndex;
  std::uint32_t next = kNoIndex;
  TimerNode timer;
};

// One relayed transport address. Each family of a dual allocation has its own time-to-expiry (RFC 8656
// section 8.2).
struct RelayLeg {
  RelayEndpoint own;  // family kNone: there is none (any more)
  RelayPort port;
  Time deadline{};

  bool present() const { return own.address.family != Family::kNone; }
};

struct AddressFailure {  // RFC 8656 section 7.2 item 9: the family that a dual request did not get
  Family family = Family::kNone;
  stun::ErrorCode error{};
};

// The peers that an allocation had permissions for, for the log. Most have one or two.
class PeerMemory {
public:
  void note(const IpAddress& peer) {
    if (std::find(named_.begin(), named_.end(), peer) != named_.end()) return;
    ++count_;
    if (named_.size() < kMaxNamed) named_.push_back(peer);
  }
  const std::vector<IpAddress>& named() const { return named_; }
  // Beyond the named ones a peer counts each time that it gets a new permission.
  std::uint32_t count() const { return count_; }

private:
  static constexpr std::size_t kMaxNamed = 16;
  std::vector<IpAddress> named_;
  std::uint32_t count_ = 0;
};

struct Allocation {
  SlotId id;
  FiveTuple five_tuple;
  RelayLeg legs[2];  // IPv4, IPv6
  UserTable::User* user = nullptr;
  std::uint64_t max_bps = 0;  // bytes per second of each direction, 0: no limit
  stun::TransactionId created_by{};
  stun::TransactionId latest{};                   // the latest request with facts, to know its repetition
  std::uint64_t latest_fact = 0;                  // and the last of those
  Time nonce_announced = -std::chrono::hours(1);  // when this client was last told a successor of its nonce
  stun::ReservationToken reservation{};
  bool has_reservation = false;
  PortWish wish = PortWish::kAny;
  bool keeps_port = false;         // a reserved one: no other will do
  std::uint8_t ports_refused = 0;  // by the worker, one after the other
  AddressFailure failure;
  bool begun = false;  // the observer knows it
  Time created{};
  std::uint64_t installed_by = 0;  // the fact that made it, the latest when its ports were changed
  PeerMemory peers;
  std::uint16_t permission_count = 0;
  std::uint16_t channel_count = 0;
  std::uint32_t first_permission = kNoIndex;
  std::uint32_t first_channel = kNoIndex;
  TimerNode timer;

  RelayLeg& leg(Family family) { return legs[family == Family::kIpv6 ? 1 : 0]; }
  const RelayLeg& leg(Family family) const { return legs[family == Family::kIpv6 ? 1 : 0]; }
  Time deadline() const {  // of the longer-lived leg
    Time latest_deadline{};
    for (const RelayLeg& each : legs) {
      if (each.present() && each.deadline > latest_deadline) latest_deadline = each.deadline;
    }
    return latest_deadline;
  }
};

}  // namespace turnpike::turn
