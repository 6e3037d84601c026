// SPDX-License-Identifier: BSD-3-Clause
// An AF_XDP port: the netdev stays the kernel's, our XDP program takes the relay traffic.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/port/ethdev.hpp"
#include "dataplane/port/managed_port.hpp"
#include "dataplane/port/port_factory.hpp"

namespace turnpike::dataplane {

class XdpPort final : public ManagedPort {
public:
  static Result<std::unique_ptr<ManagedPort>> open(const PortSpec& spec, std::uint16_t index,
                                                   const PortEnvironment& environment);
  ~XdpPort() override;

  std::uint16_t rx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    return rte_eth_rx_burst(ids_[queue], 0, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  std::uint16_t tx(std::uint16_t queue, std::span<rte_mbuf*> burst) noexcept override {
    return rte_eth_tx_burst(ids_[queue], 0, burst.data(), static_cast<std::uint16_t>(burst.size()));
  }
  PortState state() const override;
  Status apply(const LocalAddressList& list) override { return filter_->apply(list); }

  bool restores_netdev() const override { return restore_vlan_; }

  bool generic() const { return filter_->generic(); }

private:
  XdpPort() = default;
  Status open_queue(const PortSpec& spec, const PortEnvironment& environment, std::uint16_t queue);

  std::string netdev_;
  std::uint32_t ifindex_ = 0;  // the sockets are of
  bool restore_vlan_ = false;  // the NIC's VLAN stripping was on
  std::unique_ptr<XdpFilter> filter_;
  std::vector<Ethdev>
      devices_;  // one for each queue: net_af_xdp counts only "combined" queues, veth has none
  std::vector<std::uint16_t> ids_;
};

}  // namespace turnpike::dataplane
