// SPDX-License-Identifier: BSD-3-Clause
// What one --port KIND:ARGS asks for. Text only: nothing here looks at the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/shm/abi.hpp"
#include "common/shm/commands.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::dataplane {

// How an AF_XDP port hooks into its netdev.
enum class XdpMode : std::uint8_t {
  kAuto,      // the driver's own hook, the kernel's generic one where the driver refuses
  kNative,    // the driver's hook or nothing
  kGeneric,   // the kernel's generic hook
  kZeroCopy,  // the driver's hook, and the driver may write into our memory
};

struct PortSpec {
  std::string text;  // as given
  shm::PortKind kind = shm::PortKind::kNone;
  std::string device;        // PCI address, netdev, socket path, or a vdev's driver and number ("net_tap0")
  std::string driver_args;   // what the driver gets besides, "a=b,c=d"
  std::string twin;          // name of the kernel twin; empty: none
  std::uint16_t mtu = 0;     // 0: what the device says, or 1500
  std::uint16_t queues = 0;  // xdp: how many the netdev is meant to have; 0: as it is
  XdpMode xdp_mode = XdpMode::kAuto;
  bool memif_server = true;
  std::optional<shm::MacAddress> mac;  // vhost: instead of the driver's, which is the same everywhere
  wire::Endpoint listening;            // socket: 0.0.0.0 and [::] mean all addresses of the machine
};

// `index` is the port's place on the command line; a PCI port's twin is called after it.
Result<PortSpec> parse_port_spec(std::string_view text, std::size_t index);
// All of them, none twice, and kernel sockets only among themselves.
Result<std::vector<PortSpec>> parse_port_specs(const std::vector<std::string>& texts);

}  // namespace turnpike::dataplane
