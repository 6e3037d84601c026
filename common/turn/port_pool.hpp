// SPDX-License-Identifier: BSD-3-Clause
// The relay ports: random pick, rest before reuse, even ports and pairs, several relay addresses per family.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "common/base/steering.hpp"
#include "common/base/time.hpp"
#include "common/base/worker_share.hpp"
#include "common/turn/random_set.hpp"
#include "common/turn/random_source.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

// One taken port. The address is an index into Config::relay_addresses.
struct RelayPort {
  std::uint16_t address = 0;
  std::uint16_t port = 0;
  friend bool operator==(const RelayPort&, const RelayPort&) noexcept = default;
};

enum class PortWish : std::uint8_t {
  kAny,
  kEven,
  kPair,  // an even port whose successor is free; both are taken
};

class PortPool {
public:
  struct Range {
    std::uint16_t min;
    std::uint16_t max;
    WorkerIndex workers;
    Time rest;               // how long a released port stays out of use
    WorkerShare share = {};  // whose blocks these are
  };
  PortPool(const std::vector<wire::Family>& addresses, const Range& range, RandomSource& random);

  bool has(wire::Family family) const;
  // Whether the port lies in a block of this pool.
  bool owns(RelayPort port) const;
  // From the worker's block of the least used address of that family (RFC 6056: at random).
  std::optional<RelayPort> take(wire::Family family, WorkerIndex worker, PortWish wish, Time now);
  // This one of the pool's. False: it is not free, or not the pool's.
  bool claim(RelayPort port);
  // Nobody but us has known this port yet: it may be used again at once.
  void put_back(RelayPort port);
  // The packet path has forgotten it: it rests, then it may be used again.
  void release(RelayPort port, Time now);

  std::uint32_t free_count(wire::Family family, WorkerIndex worker) const;

private:
  // The free ports of one worker on one address. Numbers in the sets are pairs: port = 2 * (first_pair +
  // number).
  struct Block {
    explicit Block(PortRange range);
    std::uint32_t first_pair;
    RandomSet even;
    RandomSet odd;
    RandomSet pairs;  // both halves free
    std::uint32_t free_count() const { return even.size() + odd.size(); }
    std::uint32_t count(PortWish wish) const;
    bool has(std::uint16_t port) const;
    void erase(std::uint16_t port);
    void insert(std::uint16_t port);
  };
  struct Resting {
    Time until;
    RelayPort port;
  };

  Block& block(std::uint16_t address, WorkerIndex worker) {
    return blocks_[address * range_.workers + worker];
  }
  const Block& block(std::uint16_t address, WorkerIndex worker) const {
    return blocks_[address * range_.workers + worker];
  }
  void wake(Time now);
  std::uint16_t pick(const Block& block, PortWish wish);

  std::vector<wire::Family> families_;
  Range range_;
  RandomSource& random_;
  std::vector<Block> blocks_;    // [address][worker]
  std::deque<Resting> resting_;  // in the order of `until`
};

}  // namespace turnpike::turn
