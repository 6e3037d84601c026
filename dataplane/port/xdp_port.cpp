// SPDX-License-Identifier: BSD-3-Clause
// Opening of xdp ports.
//
// The order matters: our program is attached first. When net_af_xdp then opens its sockets, libxdp finds a
// program of a kind that it knows (split.bpf.c says why) and enters them into that program's xsks_map.
#include "dataplane/port/xdp_port.hpp"

#include <rte_log.h>

#include "dataplane/port/netdev.hpp"
#include "dataplane/port/split_map.h"

namespace turnpike::dataplane {
namespace {

// What net_af_xdp's rings keep of the packet memory: the fill ring always, the transmit ring until the kernel
// is done.
constexpr std::uint32_t kMbufsPerQueue = 2048 + 2048;

// An empty poll of the driver must never block a worker. With a busy-poll budget it is a recvfrom() that
// returns at once. Without one the driver polls for up to a second when the NIC asks for a wake-up, which
// only a zero-copy socket does; so a worker that is meant to sleep gets a copying socket.
std::string polling_args(const PortSpec& spec, const PortEnvironment& environment) {
  if (spec.xdp_mode == XdpMode::kZeroCopy) return ",busy_budget=64";
  if (environment.always_polling) {
    return std::string(",busy_budget=64") + (spec.xdp_mode == XdpMode::kGeneric ? ",force_copy=1" : "");
  }
  return ",busy_budget=0,force_copy=1";
}

}  // namespace

Result<std::unique_ptr<ManagedPort>> XdpPort::open(const PortSpec& spec, std::uint16_t index,
                                                   const PortEnvironment& environment) {
  const auto netdev = read_netdev(spec.device);
  if (!netdev) return Error{"port=" + spec.text + ": no netdev " + spec.device + " here; see ip link"};
  // All of them: what arrived on a queue that nobody reads would go to the kernel and be lost.
  const std::uint32_t queues = netdev_rx_queues(spec.device);
  if ((spec.queues != 0 && spec.queues != queues) || queues > TURNPIKE_MAX_QUEUES) {
    const std::string wanted = std::to_string(spec.queues != 0 ? spec.queues : environment.workers);
    return Error{"port=" + spec.text + ": " + spec.device + " has " + std::to_string(queues) +
                 " receive queues; type: ethtool -L " + spec.device + " combined " + wanted + " (or rx " +
                 wanted + ")"};
  }
  if (rte_mempool_avail_count(environment.mbufs) < queues * kMbufsPerQueue) {
    return Error{"port=" + spec.text + ": its rings take " + std::to_string(queues * kMbufsPerQueue) +
                 " packet buffers and only " + std::to_string(rte_mempool_avail_count(environment.mbufs)) +
                 " are left; raise --mbufs by as much"};
  }

  std::unique_ptr<XdpPort> port(new XdpPort);
  port->netdev_ = spec.device;
  port->ifindex_ = netdev->ifindex;
  // A tag that the NIC has taken out is seen neither by the XDP program nor by a worker.
  port->restore_vlan_ = set_vlan_stripping(spec.device, false);
  auto filter = XdpFilter::attach(spec, netdev->ifindex);
  if (!filter) return Error{filter.error()};
  port->filter_ = std::move(*filter);
  for (std::uint16_t queue = 0; queue < queues; ++queue) {
    if (auto opened = port->open_queue(spec, environment, queue); !opened) return Error{opened.error()};
  }
  port->index = index;
  port->name = spec.text;
  port->kind = spec.kind;
  port->rx_queues = port->tx_queues = static_cast<std::uint16_t>(queues);
  port->mac = netdev->mac;
  port->socket_id = netdev_numa_node(spec.device);
  return std::unique_ptr<ManagedPort>(std::move(port));
}

// The program goes before the drivers, which would detach it under us. That there is none to detach, or no
// right to do it any more, is not worth their complaint.
XdpPort::~XdpPort() {
  filter_.reset();
  rte_log_set_level_pattern("pmd.net.af_xdp", RTE_LOG_CRIT);
  devices_.clear();
  if (restore_vlan_) set_vlan_stripping(netdev_, true);
}

Status XdpPort::open_queue(const PortSpec& spec, const PortEnvironment& environment, std::uint16_t queue) {
  const std::string number = std::to_string(queue);
  auto device = Ethdev::probe("net_af_xdp_" + spec.device + "_" + number + ",iface=" + spec.device +
                              ",start_queue=" + number + ",queue_count=1" + polling_args(spec, environment));
  if (!device) return Error{"port=" + spec.text + ": " + device.error()};
  EthdevConfig config;
  config.mbufs = environment.mbufs;
  config.paired_queues = true;
  if (auto started = device->start(config); !started)
    return Error{"port=" + spec.text + ": " + started.error()};
  ids_.push_back(device->id());
  devices_.push_back(std::move(*device));
  return Unit{};
}

PortState XdpPort::state() const {
  const auto netdev = read_netdev(netdev_);
  if (!netdev) return {false, 0, 0, {}, DeviceState::kGone};
  return {netdev->running, netdev->mtu, netdev->ifindex, netdev->mac,
          netdev->ifindex == ifindex_ ? DeviceState::kServes : DeviceState::kMustReopen};
}

}  // namespace turnpike::dataplane
