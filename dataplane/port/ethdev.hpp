// SPDX-License-Identifier: BSD-3-Clause
// One DPDK ethernet device: probing, configuring, starting, closing. Main lcore only.
#pragma once

#include <rte_ethdev.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "common/shm/commands.hpp"

namespace turnpike::dataplane {

struct EthdevConfig {
  std::uint16_t queues = 1;    // wanted in each direction; the device may offer fewer
  std::uint16_t mtu = 0;       // 0: leave it
  bool all_multicast = false;  // a kernel twin has to hear neighbour discovery
  bool paired_queues = false;  // the driver wants as many transmit as receive queues
  rte_mempool* mbufs = nullptr;
};

class Ethdev {
public:
  // A device by its DPDK name with arguments ("net_memif0,role=server"); a PCI device was probed when EAL
  // started.
  static Result<Ethdev> probe(const std::string& devargs);

  Ethdev(Ethdev&& other) noexcept;
  Ethdev& operator=(Ethdev&& other) noexcept;
  ~Ethdev();  // stops and closes

  Status start(const EthdevConfig& config);
  void stop();
  // For a driver that has to be taken through a reconnection.
  Status restart();

  std::uint16_t id() const { return id_; }
  std::uint16_t rx_queues() const { return rx_queues_; }
  std::uint16_t tx_queues() const { return tx_queues_; }
  bool multi_segment_tx() const { return multi_segment_tx_; }
  bool link_up() const;
  // Its driver says that it must be reset (a VF whose PF was) or that it is gone.
  bool lost() const { return lost_->load(std::memory_order_relaxed); }
  std::uint16_t mtu() const;
  shm::MacAddress mac() const;
  int socket_id() const;
  std::string driver() const;

private:
  Ethdev(std::uint16_t id, std::string name);
  Error failed(const char* what, int error) const;
  Status configure(const EthdevConfig& config, const rte_eth_dev_info& info);
  Status setup_queues(const EthdevConfig& config, const rte_eth_dev_info& info);
  Status spread_receive(const rte_eth_dev_info& info);

  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  std::string name_;
  std::uint16_t rx_queues_ = 0;
  std::uint16_t tx_queues_ = 0;
  bool multi_segment_tx_ = false;
  std::unique_ptr<std::atomic<bool>> lost_;  // set by EAL's interrupt thread; where it is never changes
};

}  // namespace turnpike::dataplane
