// SPDX-License-Identifier: BSD-3-Clause
// A port as the main lcore sees it, besides the bursts of the workers.
#pragma once

#include <memory>
#include <utility>

#include "common/base/result.hpp"
#include "dataplane/port/host_path.hpp"
#include "dataplane/port/port.hpp"
#include "dataplane/port/xdp_filter.hpp"
#include "dataplane/reactor.hpp"

namespace turnpike::dataplane {

enum class DeviceState : std::uint8_t {
  kServes,
  kGone,        // until there is a netdev of that name again
  kMustReopen,  // another one of that name, or the driver wants a reset: for the next dataplane
};

struct PortState {
  bool link_up = false;
  std::uint32_t mtu = 0;      // IP bytes that fit a frame
  std::uint32_t ifindex = 0;  // of the kernel's netdev, 0: none
  shm::MacAddress mac{};
  DeviceState device = DeviceState::kServes;

  friend bool operator==(const PortState&, const PortState&) = default;
};

class ManagedPort : public Port {
public:
  virtual PortState state() const = 0;
  // The port's descriptors, if it has any, from now on. Called once, before workers start.
  virtual Status join(Reactor&) { return Unit{}; }
  // About once a second.
  virtual void tick() {}
  // Control told us about our addresses.
  virtual Status apply(const LocalAddressList&) { return Unit{}; }
  // Something about a NIC of the kernel was changed that the end has to put back (CAP_NET_ADMIN).
  virtual bool restores_netdev() const { return false; }
  // Null: no kernel twin.
  virtual HostPath* host_path() { return nullptr; }

  // The port noticed itself that state() has changed, before the next look at it is due.
  bool take_changed() { return std::exchange(changed_, false); }

protected:
  bool changed_ = false;
};

}  // namespace turnpike::dataplane
