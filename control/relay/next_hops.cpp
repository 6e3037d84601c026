// SPDX-License-Identifier: BSD-3-Clause
// Next-hop resolution over static entries, kernel routes and the way requests come.
#include "control/relay/next_hops.hpp"

#include <algorithm>
#include <charconv>

namespace turnpike::control {
namespace {

constexpr Time kProbeInterval = std::chrono::seconds(1);  // of an unresolved neighbour, as ARP itself
constexpr Time kStaleProbeInterval =
    std::chrono::seconds(30);  // the kernel does not see our traffic confirm it
constexpr std::uint16_t kSmallestMtu = 576;

std::uint64_t number_of(const MacAddress& mac) {
  std::uint64_t number = 0;
  for (const std::uint8_t byte : mac) number = number << 8 | byte;
  return number;
}

std::optional<std::uint16_t> find_port(const std::vector<PortInfo>& ports, const std::string& text) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == text) return static_cast<std::uint16_t>(i);
  }
  std::uint16_t index = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (status != std::errc{} || end != text.data() + text.size() || index >= ports.size()) return std::nullopt;
  return index;
}

}  // namespace

std::size_t NextHops::KeyHash::operator()(const Key& key) const noexcept {
  const std::uint64_t tags = std::uint64_t{key.port} << 48 | std::uint64_t{key.vlan} << 32 |
                             std::uint64_t{key.outer_vlan} << 16 | key.mtu;
  const std::uint64_t macs = wire::mix(number_of(key.local)) + number_of(key.remote);
  return wire::hash_value({key.neighbour, 0, 0}, wire::mix(tags + key.ifindex) ^ wire::mix(macs));
}

Status NextHops::set_static(std::vector<StaticNextHop> hops, const std::vector<PortInfo>& ports) {
  static_.clear();
  for (StaticNextHop& hop : hops) {
    const auto port = find_port(ports, hop.port);
    if (!port) {
      return Error{"next-hop: no port " + hop.port + "; give an index below " + std::to_string(ports.size()) +
                   " or the text of a --port option"};
    }
    static_.push_back({std::move(hop), *port});
  }
  std::stable_sort(static_.begin(), static_.end(), [](const Static& a, const Static& b) {
    return a.hop.prefix_length > b.hop.prefix_length;
  });
  return Unit{};
}

void NextHops::set_ports(std::vector<PortInfo> ports) {
  ports_ = std::move(ports);
  kernel_sockets_ = !ports_.empty() && ports_.front().kind == shm::PortKind::kSocket;
  refresh();
}

std::uint16_t NextHops::resolve(const IpAddress& destination, const IpAddress& source,
                                const shm::LinkPath* arrival) {
  if (!kernel_sockets_ && local_.contains(destination)) return shm::kNoNextHop;
  const auto key = find_key(destination, source, arrival);
  if (!key) {
    ++counters_.no_route;
    return shm::kNoNextHop;
  }
  if (const auto known = by_key_.find(*key); known != by_key_.end()) return known->second;
  const auto added = add(*key);
  if (!added) ++counters_.table_full;
  return added.value_or(shm::kNoNextHop);
}

std::optional<NextHops::Key> NextHops::find_key(const IpAddress& destination, const IpAddress& source,
                                                const shm::LinkPath* arrival) {
  if (kernel_sockets_) return Key{};  // one way for all: the kernel routes
  for (const Static& entry : static_) {
    if (!entry.hop.range.contains(destination)) continue;
    Key key;
    key.port = entry.port;
    key.vlan = entry.hop.vlan;
    key.mtu = entry.hop.mtu;
    key.remote = entry.hop.mac;
    return key;
  }
  const auto route = network_.route(destination, source);
  if (route && !route->local) {
    if (const auto location = locate_netdev(network_, ports_, route->ifindex)) {
      Key key;
      key.port = location->port;
      key.vlan = location->vlan;
      key.outer_vlan = location->outer_vlan;
      key.ifindex = route->ifindex;
      key.neighbour = route->gateway.family == wire::Family::kNone ? destination : route->gateway;
      return key;
    }
  }
  if (arrival == nullptr || arrival->port >= ports_.size()) return std::nullopt;
  Key key;
  key.port = arrival->port;
  key.vlan = arrival->vlan;
  key.outer_vlan = arrival->outer_vlan;
  if (arrival->local_mac != ports_[arrival->port].mac) key.local = arrival->local_mac;
  key.remote = arrival->remote_mac;
  return key;
}

std::optional<std::uint16_t> NextHops::add(const Key& key) {
  const auto index = free_index();
  if (!index) return std::nullopt;
  Entry& entry = entries_[*index];
  entry = Entry{};
  entry.key = key;
  entry.live = true;
  by_key_.emplace(key, *index);
  if (key.neighbour.family != wire::Family::kNone) network_.probe(key.ifindex, key.neighbour);
  update(entry, true);
  return index;
}

std::optional<std::uint16_t> NextHops::free_index() {
  if (free_.empty() && entries_.size() < limit_) {
    entries_.emplace_back();
    return static_cast<std::uint16_t>(entries_.size() - 1);
  }
  if (free_.empty() && mark_used_ && may_sweep_) {
    may_sweep_ = false;
    std::vector<bool> used(entries_.size(), false);
    mark_used_(used);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (used[i] || !entries_[i].live) continue;
      by_key_.erase(entries_[i].key);
      entries_[i].live = false;
      free_.push_back(static_cast<std::uint16_t>(i));
    }
  }
  if (free_.empty()) return std::nullopt;
  const std::uint16_t index = free_.back();
  free_.pop_back();
  return index;
}

void NextHops::update(Entry& entry, bool always) {
  const Key& key = entry.key;
  const PortInfo port = key.port < ports_.size() ? ports_[key.port] : PortInfo{};
  shm::NextHop fact = entry.fact;
  fact.index = static_cast<std::uint16_t>(&entry - entries_.data());
  fact.port = key.port;
  fact.vlan = key.vlan;
  fact.outer_vlan = key.outer_vlan;
  fact.mtu = key.mtu != 0 ? key.mtu : port.mtu;
  fact.source_mac = key.local == MacAddress{} ? port.mac : key.local;
  if (key.neighbour.family == wire::Family::kNone) {
    fact.destination_mac = key.remote;
    fact.resolved = 1;
  } else {
    if (const Link* link = network_.link(key.ifindex)) {
      // A VLAN device may have an MTU and a MAC of its own.
      if (link->mtu >= kSmallestMtu) fact.mtu = std::min(fact.mtu, link->mtu);
      if (link->mac != MacAddress{}) fact.source_mac = link->mac;
    }
    const Neighbour neighbour = network_.neighbour(key.ifindex, key.neighbour);
    const bool has_mac =
        neighbour.state == NeighbourState::kUsable || neighbour.state == NeighbourState::kStale;
    // kUnknown keeps what was known: the kernel forgets idle entries, but our packets do not pass through it.
    if (has_mac) fact.destination_mac = neighbour.mac;
    if (has_mac || neighbour.state == NeighbourState::kFailed) fact.resolved = has_mac ? 1 : 0;
    entry.stale = neighbour.state != NeighbourState::kUsable;
  }
  const bool differs = fact.mtu != entry.fact.mtu || fact.source_mac != entry.fact.source_mac ||
                       fact.destination_mac != entry.fact.destination_mac ||
                       fact.resolved != entry.fact.resolved;
  entry.fact = fact;
  if (differs || always) changes_.push_back(fact);
}

void NextHops::hold(const std::vector<bool>& used) {
  for (std::size_t i = entries_.size(); i < std::min<std::size_t>(used.size(), limit_); ++i) {
    entries_.emplace_back();
    (used[i] ? held_ : free_).push_back(static_cast<std::uint16_t>(i));
  }
}

void NextHops::release() {
  free_.insert(free_.end(), held_.begin(), held_.end());
  held_.clear();
}

void NextHops::say_again() {
  changes_.clear();
  for (const Entry& entry : entries_) {
    if (entry.live) changes_.push_back(entry.fact);
  }
}

void NextHops::refresh() {
  for (Entry& entry : entries_) {
    if (entry.live) update(entry, false);
  }
}

void NextHops::tick(Time now) {
  may_sweep_ = true;
  for (Entry& entry : entries_) {
    if (!entry.live || !entry.stale) continue;
    const Time interval = entry.fact.resolved != 0 ? kStaleProbeInterval : kProbeInterval;
    if (now < entry.probed + interval) continue;
    entry.probed = now;
    network_.probe(entry.key.ifindex, entry.key.neighbour);
  }
}

std::size_t NextHops::unresolved() const {
  return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) {
    return entry.live && entry.fact.resolved == 0;
  }));
}

}  // namespace turnpike::control
