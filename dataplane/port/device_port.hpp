// SPDX-License-Identifier: BSD-3-Clause
// Ports over one ethdev whose driver takes care of itself: pci, vhost, vdev. With a kernel twin where one is
// wanted.
#pragma once

#include <memory>
#include <optional>

#include "dataplane/port/ethdev.hpp"
#include "dataplane/port/managed_port.hpp"
#include "dataplane/port/peer_steering.hpp"
#include "dataplane/port/port_factory.hpp"

namespace turnpike::dataplane {

class DevicePort : public ManagedPort {
public:
  static Result<std::unique_ptr<ManagedPort>> open(const PortSpec& spec, std::uint16_t index,
                                                   const PortEnvironment& environment);

  std::uint16_t rx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    return rte_eth_rx_burst(id_, queue, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    return rte_eth_tx_burst(id_, queue, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  PortState state() const override;
  HostPath* host_path() override { return twin_.get(); }
  Status apply(const LocalAddressList& list) override;

protected:
  DevicePort() = default;
  // Starts the probed device and describes the port.
  Status start(const PortSpec& spec, const PortEnvironment& environment);
  shm::MacAddress address() const { return wanted_mac_.value_or(device_->mac()); }

  std::uint16_t id_ = 0;
  std::optional<Ethdev> device_;
  std::optional<shm::MacAddress> wanted_mac_;
  std::unique_ptr<HostPath> twin_;
  std::optional<PeerSteering> steering_;  // after the device: its rules go first
};

}  // namespace turnpike::dataplane
