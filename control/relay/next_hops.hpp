// SPDX-License-Identifier: BSD-3-Clause
// Where packets to a client or peer leave: destination -> index of the next-hop table that every worker
// holds.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/time.hpp"
#include "common/shm/commands.hpp"
#include "control/netlink/network.hpp"
#include "control/relay/port_location.hpp"
#include "control/relay/static_next_hop.hpp"

namespace turnpike::control {

// One entry for each neighbour, not for each destination, so that a neighbour's change is one fact for each
// worker. Entries are not counted: when the table is full, those that no live fact names are taken back.
class NextHops {
public:
  // Sets the flag of every index that a live fact names.
  using MarkUsed = std::function<void(std::vector<bool>& used)>;

  struct Counters {
    std::uint64_t no_route = 0;    // look-ups that led to none of our ports
    std::uint64_t table_full = 0;  // look-ups that found no free index
  };

  explicit NextHops(Network& network, std::uint32_t limit = shm::kMaxNextHops)
      : network_(network), limit_(limit) {}

  void set_mark_used(MarkUsed mark_used) { mark_used_ = std::move(mark_used); }
  void set_local_addresses(std::unordered_set<IpAddress> addresses) { local_ = std::move(addresses); }
  // Fails when a static next hop names a port that is not there.
  Status set_static(std::vector<StaticNextHop> hops, const std::vector<PortInfo>& ports);
  // Call again when a port record changed.
  void set_ports(std::vector<PortInfo> ports);

  // The index for packets from `source` to `destination`. `arrival`: the way the client's request came, taken
  // when no route through one of our ports is known. kNoNextHop: one of our own addresses, or unreachable.
  std::uint16_t resolve(const IpAddress& destination, const IpAddress& source, const shm::LinkPath* arrival);

  // Indices that a former control's facts name are not given away before release(): those facts are being
  // said again, with indices of ours.
  void hold(const std::vector<bool>& used);
  void release();
  // Another dataplane, which knows none of them.
  void say_again();

  // After the network or the ports changed: brings every entry up to date.
  void refresh();
  // About once a second: asks again for neighbours that are unresolved, and now and then for stale ones.
  void tick(Time now);

  // The facts to be told to every worker since the last call, in order.
  std::vector<shm::NextHop> take_changes() { return std::exchange(changes_, {}); }

  std::size_t size() const { return by_key_.size(); }
  std::size_t unresolved() const;
  const Counters& counters() const { return counters_; }

private:
  // Either a neighbour that the kernel resolves, or MAC addresses as given (static, or the way a request
  // came).
  struct Key {
    std::uint16_t port = 0;
    std::uint16_t vlan = 0;
    std::uint16_t outer_vlan = 0;
    std::uint16_t mtu = 0;      // given by a static next hop, else 0
    std::uint32_t ifindex = 0;  // of the neighbour
    IpAddress neighbour;        // family kNone: `remote` is given
    MacAddress local{};         // zero: the port's
    MacAddress remote{};
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Entry {
    Key key;
    shm::NextHop fact;
    Time probed{};
    bool live = false;
    bool stale = false;
  };
  struct Static {
    StaticNextHop hop;
    std::uint16_t port = 0;
  };

  std::optional<Key> find_key(const IpAddress& destination, const IpAddress& source,
                              const shm::LinkPath* arrival);
  std::optional<std::uint16_t> add(const Key& key);
  std::optional<std::uint16_t> free_index();
  // Recomputes the entry's fact; notes it as changed when it differs or `always`.
  void update(Entry& entry, bool always);

  Network& network_;
  std::uint32_t limit_;
  MarkUsed mark_used_;
  bool may_sweep_ = true;  // once between ticks: a full table must not cost a sweep for every look-up
  std::unordered_set<IpAddress> local_;
  std::vector<Static> static_;  // longest prefix first
  std::vector<PortInfo> ports_;
  bool kernel_sockets_ = false;
  std::vector<Entry> entries_;
  std::vector<std::uint16_t> free_;
  std::vector<std::uint16_t> held_;
  std::unordered_map<Key, std::uint16_t, KeyHash> by_key_;
  std::vector<shm::NextHop> changes_;
  Counters counters_;
};

}  // namespace turnpike::control
