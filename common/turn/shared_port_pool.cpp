// SPDX-License-Identifier: BSD-3-Clause
// A handful of counters, scanned at every Allocate.
#include "common/turn/shared_port_pool.hpp"

namespace turnpike::turn {

SharedPortPool::SharedPortPool(std::vector<wire::Family> addresses, const SharedPorts& ports, Time rest)
    : families_(std::move(addresses)), ports_(ports), rest_(rest) {
  if (ports_.fit()) places_.resize(families_.size() * ports_.slots());
}

const SharedPortPool::Place* SharedPortPool::find(RelayPort port) const {
  if (port.address >= families_.size() || !ports_.range().contains(port.port)) return nullptr;
  const std::uint32_t offset = port.port - ports_.base;
  if ((offset % 2 == 1) != (families_[port.address] == wire::Family::kIpv6)) return nullptr;
  return &places_[port.address * ports_.slots() + offset / 2];
}

std::optional<RelayPort> SharedPortPool::take(wire::Family family, WorkerIndex worker, Time now) {
  if (!ports_.fit() || worker >= ports_.workers) return std::nullopt;
  std::optional<RelayPort> best;
  Place* least = nullptr;
  for (std::uint16_t address = 0; address < families_.size(); ++address) {
    if (families_[address] != family) continue;
    for (std::uint16_t slot = 0; slot < ports_.per_worker; ++slot) {
      const RelayPort port{address, ports_.port(worker, slot, family)};
      Place* place = find(port);
      if (place->rests_until > now || (least != nullptr && place->users >= least->users)) continue;
      least = place;
      best = port;
    }
  }
  if (least != nullptr) ++least->users;
  return best;
}

bool SharedPortPool::join(RelayPort port) {
  Place* place = find(port);
  if (place != nullptr) ++place->users;
  return place != nullptr;
}

void SharedPortPool::leave(RelayPort port) {
  Place* place = find(port);
  if (place != nullptr && place->users != 0) --place->users;
}

void SharedPortPool::rest(RelayPort port, Time now) {
  Place* place = find(port);
  if (place != nullptr && place->users <= 1) place->rests_until = now + rest_;
}

std::uint32_t SharedPortPool::users(RelayPort port) const {
  const Place* place = find(port);
  return place == nullptr ? 0 : place->users;
}

}  // namespace turnpike::turn
