// SPDX-License-Identifier: BSD-3-Clause
// The options of this run, checked and put into the shape that start-up needs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/instance.hpp"
#include "common/config/options.hpp"
#include "common/process/user.hpp"
#include "common/shm/abi.hpp"
#include "common/wire/address_filter.hpp"
#include "common/wire/source_limiter.hpp"
#include "dataplane/lcore_plan.hpp"
#include "dataplane/port/port_spec.hpp"
#include "dataplane/port/socket_options.hpp"

namespace turnpike::dataplane {

struct StartOptions {
  config::InstancePaths paths;
  std::vector<PortSpec> ports;
  bool has_port(shm::PortKind kind) const {
    return std::any_of(ports.begin(), ports.end(),
                       [kind](const PortSpec& port) { return port.kind == kind; });
  }
  bool kernel_sockets() const { return !ports.empty() && ports.front().kind == shm::PortKind::kSocket; }
  LcorePlan lcores;
  shm::Capacity capacity;
  std::uint32_t mbufs = 0;
  std::uint64_t memory_mib = 0;  // 0: as much as needed
  bool no_huge = false;
  bool always_polling = false;
  bool verbose = false;
  SocketOptions sockets;
  bool secure_stun = false;  // Binding goes to control, which wants credentials
  wire::SourceRates limits;
  wire::AddressFilter denied_clients;
  std::vector<std::string> eal_arguments;
  std::optional<process::User> run_as;        // to become after the start
  std::optional<process::User> control_user;  // whose control may attach
  std::uint16_t relay_min = 0;  // of control's part: --doctor looks whether the kernel keeps off
  std::uint16_t relay_max = 0;
};

Result<StartOptions> start_options(const config::Options& options);

// Memory that DPDK has to have for packet buffers, tables and rings, rounded up generously.
std::uint64_t needed_bytes(const StartOptions& options);

}  // namespace turnpike::dataplane
