// SPDX-License-Identifier: BSD-3-Clause
// A memif port: net_memif behind a gate, so that a peer may leave at any moment.
#pragma once

#include "dataplane/port/device_port.hpp"
#include "dataplane/port/memif_link.hpp"

namespace turnpike::dataplane {

class MemifPort final : public DevicePort {
public:
  static Result<std::unique_ptr<ManagedPort>> open(const PortSpec& spec, std::uint16_t index,
                                                   const PortEnvironment& environment);

  std::uint16_t rx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    if (!gate_.enter(kReceive)) return 0;
    const std::uint16_t count = DevicePort::rx(queue, burst);
    gate_.leave(kReceive);
    return count;
  }
  std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    if (!gate_.enter(kTransmit)) return 0;
    const std::uint16_t count = DevicePort::tx(queue, burst);
    gate_.leave(kTransmit);
    return count;
  }
  PortState state() const override;
  Status join(Reactor& reactor) override {
    return link_->join(reactor, [this] { changed_ = true; });
  }
  void tick() override { link_->tick(); }

private:
  enum Passage : std::size_t { kReceive, kTransmit, kPassages };

  MemifPort() : gate_(kPassages) {}

  BurstGate gate_;
  std::unique_ptr<MemifLink> link_;  // uses the device and the gate: goes first
};

}  // namespace turnpike::dataplane
