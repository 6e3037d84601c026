// SPDX-License-Identifier: BSD-3-Clause
// Opening of memif ports.
#include "dataplane/port/memif_port.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace turnpike::dataplane {

Result<std::unique_ptr<ManagedPort>> MemifPort::open(const PortSpec& spec, std::uint16_t index,
                                                     const PortEnvironment& environment) {
  if (auto ready = BurstGate::prepare(); !ready) return Error{"port=" + spec.text + ": " + ready.error()};
  std::unique_ptr<MemifPort> port(new MemifPort);
  port->index = index;
  const std::string number = std::to_string(index);
  const std::string driver_path = environment.directory + "/memif-" + number + ".sock";
  std::string devargs = "net_memif" + number + ",role=" + (spec.memif_server ? "server" : "client") +
                        ",socket=" + driver_path + ",socket-abstract=no";
  if (!spec.driver_args.empty()) devargs += "," + spec.driver_args;

  // The driver binds (server) or connects (client) as it is probed and started: what a dead process left is
  // gone first, and the client's driver finds our listener.
  unlink(driver_path.c_str());
  auto device = Ethdev::probe(devargs);
  if (!device) return Error{"port=" + spec.text + ": " + device.error()};
  port->device_.emplace(std::move(*device));
  auto link = MemifLink::create({spec.text, spec.device, driver_path, spec.memif_server}, *port->device_,
                                port->gate_);
  if (!link) return Error{link.error()};
  port->link_ = std::move(*link);
  if (auto started = port->start(spec, environment); !started) return Error{started.error()};
  // Whichever of the two has made it, each peer is a new connection to it.
  if (environment.owner && chown(driver_path.c_str(), *environment.owner, static_cast<gid_t>(-1)) != 0) {
    return Error{"port=" + spec.text + ": giving " + driver_path + " to run-as: " + std::strerror(errno)};
  }
  return std::unique_ptr<ManagedPort>(std::move(port));
}

PortState MemifPort::state() const {
  PortState state = DevicePort::state();
  state.link_up = link_->up();
  return state;
}

}  // namespace turnpike::dataplane
