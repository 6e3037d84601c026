// SPDX-License-Identifier: BSD-3-Clause
// The kernel twin of a port: a tap netdev with the port's MAC address, fed by the main lcore. ARP, neighbour
// discovery, ping, TCP and TLS of our addresses are the kernel's business, and this is how they reach it.
#pragma once

#include <rte_mempool.h>

#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "common/shm/counters.hpp"
#include "dataplane/port/port.hpp"

namespace turnpike::dataplane {

struct HostPathConfig {
  std::string name;  // of the netdev
  shm::MacAddress mac{};
  std::uint32_t mtu = 1500;
  std::uint16_t port = 0;
  rte_mempool* mbufs = nullptr;
};

// Main lcore only; the workers see the two rings.
class HostPath {
public:
  static Result<std::unique_ptr<HostPath>> create(const HostPathConfig& config);
  ~HostPath();  // with the netdev, unless it is kept
  HostPath(const HostPath&) = delete;
  HostPath& operator=(const HostPath&) = delete;

  // The next dataplane finds the netdev, with the addresses and routes that it has. So it does when this one
  // dies; a clean end takes it away.
  void keep_netdev() { kept_ = true; }

  int fd() const { return fd_; }
  const std::string& name() const { return name_; }
  std::uint32_t ifindex() const { return ifindex_; }
  HostQueues queues() const { return queues_; }
  bool has_frames_for_kernel() const { return rte_ring_empty(queues_.to_host) == 0; }

  // Both move at most kBatch frames and count what had to be dropped. False: the netdev was removed.
  bool from_kernel(shm::WorkerCounters& counts);
  void to_kernel(shm::WorkerCounters& counts);
  void set_carrier(bool up);

private:
  static constexpr unsigned kBatch = 64;
  static constexpr unsigned kRingSize = 1024;

  HostPath() = default;
  Status open_tap(const HostPathConfig& config);
  Status make_rings(const HostPathConfig& config);

  int fd_ = -1;
  bool kept_ = false;
  std::string name_;
  std::uint32_t ifindex_ = 0;
  rte_mempool* mbufs_ = nullptr;
  HostQueues queues_;
};

}  // namespace turnpike::dataplane
