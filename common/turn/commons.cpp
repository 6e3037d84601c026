// SPDX-License-Identifier: BSD-3-Clause
// Short steps under one lock.
#include "common/turn/commons.hpp"

namespace turnpike::turn {

using Lock = std::lock_guard<std::mutex>;

Commons::Commons(const Config& config, std::uint64_t seed)
    : workers_(config.workers),
      ports_{config.min_port, config.max_port},
      users_(seed),
      reservations_(config.reservation_hold, config.max_reservations),
      returned_(config.share.parts) {}

UserTable::User* Commons::join(const UserName& user, std::uint32_t user_quota, std::uint32_t total_quota) {
  const Lock lock(mutex_);
  if (user_quota != 0 && users_.allocations(user) >= user_quota) return nullptr;
  if (total_quota != 0 && users_.allocations_of_realm(user.realm) >= total_quota) return nullptr;
  ++allocations_;
  return users_.join(user);
}

UserTable::User* Commons::rejoin(const UserName& user, std::uint64_t max_bps) {
  const Lock lock(mutex_);
  ++allocations_;
  bandwidth_.exchange(0, max_bps);
  return users_.join(user);
}

void Commons::leave(UserTable::User* user, std::uint64_t max_bps) {
  const Lock lock(mutex_);
  --allocations_;
  users_.leave(user);
  bandwidth_.exchange(max_bps, 0);
}

std::size_t Commons::allocation_count() const {
  const Lock lock(mutex_);
  return allocations_;
}

std::uint64_t Commons::take_bandwidth(std::uint64_t wanted, std::uint64_t capacity) {
  const Lock lock(mutex_);
  const std::uint64_t taken = bandwidth_.offer(wanted, capacity);
  bandwidth_.exchange(0, taken);
  return taken;
}

std::uint64_t Commons::change_bandwidth(std::uint64_t wanted, std::uint64_t held, std::uint64_t capacity) {
  if (wanted == 0 && held == 0) return 0;
  const Lock lock(mutex_);
  const std::uint64_t taken = wanted == 0 ? 0 : bandwidth_.offer_again(wanted, held, capacity);
  bandwidth_.exchange(held, taken);
  return taken;
}

std::uint64_t Commons::bandwidth_handed_out() const {
  const Lock lock(mutex_);
  return bandwidth_.handed_out();
}

bool Commons::reservations_full() const {
  const Lock lock(mutex_);
  return reservations_.full();
}

stun::ReservationToken Commons::reserve(RelayPort port, Time now, RandomSource& random) {
  while (true) {
    const auto token = random.value<stun::ReservationToken>();  // may be a system call: before the lock
    const Lock lock(mutex_);
    if (reservations_.hold(token, port, now)) return token;
  }
}

bool Commons::hold_again(const stun::ReservationToken& token, RelayPort port, Time made) {
  const Lock lock(mutex_);
  return !reservations_.full() && reservations_.hold(token, port, made);
}

std::optional<RelayPort> Commons::find_reserved(const stun::ReservationToken& token, Time now) const {
  const Lock lock(mutex_);
  return reservations_.find(token, now);
}

std::optional<RelayPort> Commons::redeem(const stun::ReservationToken& token, Time now) {
  const Lock lock(mutex_);
  const auto port = reservations_.find(token, now);
  if (port) reservations_.remove(token);
  return port;
}

std::optional<RelayPort> Commons::withdraw(const stun::ReservationToken& token) {
  const Lock lock(mutex_);
  return reservations_.remove(token);
}

std::vector<Commons::ReturnedPort>& Commons::returned_to(RelayPort port) {
  const WorkerIndex owner = owner_of_port(port.port, workers_, ports_.first, ports_.last);
  return returned_[owner % returned_.size()];
}

void Commons::give_back(RelayPort port) {
  const Lock lock(mutex_);
  returned_to(port).push_back({port, true});
}

std::vector<Commons::ReturnedPort> Commons::take_returned(const WorkerShare& share, Time now) {
  const Lock lock(mutex_);
  reservations_.expire(now, expired_);
  for (const RelayPort port : expired_) returned_to(port).push_back({port, false});
  expired_.clear();
  return std::exchange(returned_[share.part], {});
}

}  // namespace turnpike::turn
