// SPDX-License-Identifier: BSD-3-Clause
// From a --port to a running port.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/port/managed_port.hpp"
#include "dataplane/port/port_spec.hpp"
#include "dataplane/port/socket_port.hpp"

namespace turnpike::dataplane {

struct PortEnvironment {
  std::uint16_t workers = 1;
  bool always_polling = false;
  rte_mempool* mbufs = nullptr;
  std::shared_ptr<SocketSet> sockets;  // of all socket ports
  std::string directory;               // of the instance, for sockets between us and drivers
  std::optional<uid_t> owner;          // of these, when we are going to be another user
};

// What can be told without DPDK: is the device there, is it free, does a driver hold it? One line with the
// remedy.
Status check_port(const PortSpec& spec);
// Lines for the operator when the port works, but not as well as it could.
std::vector<std::string> port_warnings(const PortSpec& spec, const ManagedPort& port,
                                       const std::vector<unsigned>& worker_lcores);

Result<std::unique_ptr<ManagedPort>> open_port(const PortSpec& spec, std::uint16_t index,
                                               const PortEnvironment& environment);

}  // namespace turnpike::dataplane
