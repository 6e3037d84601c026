// SPDX-License-Identifier: BSD-3-Clause
// Swap-array sets per (address, worker): a pick costs the same whether the range is empty or nearly full.
#include "common/turn/port_pool.hpp"

#include <algorithm>

namespace turnpike::turn {

PortPool::Block::Block(PortRange range)
    : first_pair(range.first / 2),
      even(range.empty() ? 0 : range.last / 2 - range.first / 2 + 1),
      odd(even.size()),
      pairs(even.size()) {
  if (range.empty()) return;
  if (range.first % 2 == 1) {  // the range begins in the middle of a pair
    even.erase(0);
    pairs.erase(0);
  }
  if (range.last % 2 == 0) {  // or ends there
    odd.erase(range.last / 2 - first_pair);
    pairs.erase(range.last / 2 - first_pair);
  }
}

std::uint32_t PortPool::Block::count(PortWish wish) const {
  switch (wish) {
    case PortWish::kEven:
      return even.size();
    case PortWish::kPair:
      return pairs.size();
    case PortWish::kAny:
      break;
  }
  return free_count();
}

bool PortPool::Block::has(std::uint16_t port) const {
  return (port % 2 == 0 ? even : odd).contains(port / 2 - first_pair);
}

void PortPool::Block::erase(std::uint16_t port) {
  const std::uint32_t pair = port / 2 - first_pair;
  (port % 2 == 0 ? even : odd).erase(pair);
  pairs.erase(pair);
}

void PortPool::Block::insert(std::uint16_t port) {
  const std::uint32_t pair = port / 2 - first_pair;
  (port % 2 == 0 ? even : odd).insert(pair);
  if (even.contains(pair) && odd.contains(pair)) pairs.insert(pair);
}

PortPool::PortPool(const std::vector<wire::Family>& addresses, const Range& range, RandomSource& random)
    : families_(addresses), range_(range), random_(random) {
  blocks_.reserve(addresses.size() * range.workers);
  for (std::size_t address = 0; address < addresses.size(); ++address) {
    for (WorkerIndex worker = 0; worker < range.workers; ++worker) {
      blocks_.emplace_back(range.share.has(worker) ? worker_ports(worker, range.workers, range.min, range.max)
                                                   : PortRange{});
    }
  }
}

bool PortPool::has(wire::Family family) const {
  return std::find(families_.begin(), families_.end(), family) != families_.end();
}

bool PortPool::owns(RelayPort port) const {
  const WorkerIndex owner = owner_of_port(port.port, range_.workers, range_.min, range_.max);
  return owner != kNoWorker && range_.share.has(owner) && port.address < families_.size();
}

std::optional<RelayPort> PortPool::take(wire::Family family, WorkerIndex worker, PortWish wish, Time now) {
  wake(now);
  std::uint16_t best = 0;
  std::uint32_t best_count = 0;
  for (std::uint16_t address = 0; address < families_.size(); ++address) {
    const std::uint32_t count = families_[address] == family ? block(address, worker).count(wish) : 0;
    if (count > best_count) {
      best = address;
      best_count = count;
    }
  }
  if (best_count == 0) return std::nullopt;
  Block& chosen = block(best, worker);
  const std::uint16_t port = pick(chosen, wish);
  chosen.erase(port);
  if (wish == PortWish::kPair) chosen.erase(port + 1);
  return RelayPort{best, port};
}

std::uint16_t PortPool::pick(const Block& block, PortWish wish) {
  const auto port = [&](std::uint32_t pair) {
    return static_cast<std::uint16_t>(2 * (block.first_pair + pair));
  };
  const std::uint32_t rank = random_.below(block.count(wish));
  if (wish == PortWish::kPair) return port(block.pairs.at(rank));
  if (rank < block.even.size()) return port(block.even.at(rank));
  return port(block.odd.at(rank - block.even.size())) + 1;
}

bool PortPool::claim(RelayPort port) {
  if (!owns(port)) return false;
  Block& owner = block(port.address, owner_of_port(port.port, range_.workers, range_.min, range_.max));
  if (!owner.has(port.port)) return false;
  owner.erase(port.port);
  return true;
}

void PortPool::put_back(RelayPort port) {
  if (!owns(port)) return;
  block(port.address, owner_of_port(port.port, range_.workers, range_.min, range_.max)).insert(port.port);
}

void PortPool::release(RelayPort port, Time now) { resting_.push_back({now + range_.rest, port}); }

void PortPool::wake(Time now) {
  while (!resting_.empty() && resting_.front().until <= now) {
    put_back(resting_.front().port);
    resting_.pop_front();
  }
}

std::uint32_t PortPool::free_count(wire::Family family, WorkerIndex worker) const {
  std::uint32_t count = 0;
  for (std::uint16_t address = 0; address < families_.size(); ++address) {
    if (families_[address] == family) count += block(address, worker).free_count();
  }
  return count;
}

}  // namespace turnpike::turn
