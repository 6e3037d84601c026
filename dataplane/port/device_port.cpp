// SPDX-License-Identifier: BSD-3-Clause
// Opening of ports over one ethdev.
#include "dataplane/port/device_port.hpp"

#include "dataplane/log.hpp"
#include "dataplane/unix_socket.hpp"

namespace turnpike::dataplane {
namespace {

std::string devargs_of(const PortSpec& spec, std::uint16_t index) {
  std::string name = spec.device;
  if (spec.kind == shm::PortKind::kVhost)
    name = "net_vhost" + std::to_string(index) + ",iface=" + spec.device;
  return spec.driver_args.empty() ? name : name + "," + spec.driver_args;
}

}  // namespace

Result<std::unique_ptr<ManagedPort>> DevicePort::open(const PortSpec& spec, std::uint16_t index,
                                                      const PortEnvironment& environment) {
  std::unique_ptr<DevicePort> port(new DevicePort);
  port->index = index;
  if (spec.kind == shm::PortKind::kVhost && spec.driver_args.find("client=1") == std::string::npos) {
    // The driver would not listen where the socket of a dataplane that was killed still is.
    if (auto cleared = clear_socket(spec.device); !cleared)
      return Error{"port=" + spec.text + ": " + cleared.error()};
  }
  auto device = Ethdev::probe(devargs_of(spec, index));
  if (!device) return Error{"port=" + spec.text + ": " + device.error()};
  port->device_.emplace(std::move(*device));
  if (auto started = port->start(spec, environment); !started) return Error{started.error()};
  return std::unique_ptr<ManagedPort>(std::move(port));
}

Status DevicePort::start(const PortSpec& spec, const PortEnvironment& environment) {
  EthdevConfig config;
  config.queues = spec.kind == shm::PortKind::kMemif ? 1 : environment.workers;
  config.mtu = spec.mtu;
  config.all_multicast = !spec.twin.empty();
  config.mbufs = environment.mbufs;
  if (auto started = device_->start(config); !started)
    return Error{"port=" + spec.text + ": " + started.error()};

  id_ = device_->id();
  name = spec.text;
  kind = spec.kind;
  rx_queues = device_->rx_queues();
  tx_queues = device_->tx_queues();
  wanted_mac_ = spec.mac;
  mac = address();
  socket_id = device_->socket_id();
  multi_segment_tx = device_->multi_segment_tx();
  // A queue for each worker: only then does a rule know where to.
  if (rx_queues > 1 && rx_queues == environment.workers) steering_.emplace(id_, rx_queues);
  if (spec.twin.empty()) return Unit{};
  auto twin = HostPath::create({spec.twin, mac, device_->mtu(), index, environment.mbufs});
  if (!twin) return Error{"port=" + spec.text + ": " + twin.error()};
  twin_ = std::move(*twin);
  host = twin_->queues();
  return Unit{};
}

Status DevicePort::apply(const LocalAddressList& list) {
  if (!steering_) return Unit{};
  if (const std::string note = steering_->apply(list); !note.empty()) log_line("port=" + name + ": " + note);
  return Unit{};
}

PortState DevicePort::state() const {
  return {device_->link_up(), device_->mtu(), twin_ ? twin_->ifindex() : 0, address(),
          device_->lost() ? DeviceState::kMustReopen : DeviceState::kServes};
}

}  // namespace turnpike::dataplane
