// SPDX-License-Identifier: BSD-3-Clause
// What the model's files share.
#pragma once

#include "tests/model/naive_turn.hpp"

namespace turnpike::model {

inline int number(const IpAddress& address) { return address.is_v6() ? 2 : 1; }
inline bool live(Time deadline, Time now) { return now < deadline; }

inline const Leg* live_leg(const Record& record, int family, Time now) {
  const auto found = record.legs.find(family);
  return found != record.legs.end() && live(found->second.deadline, now) ? &found->second : nullptr;
}

inline bool is_live(const Record& record, Time now) {
  return live_leg(record, 1, now) != nullptr || live_leg(record, 2, now) != nullptr;
}

}  // namespace turnpike::model
