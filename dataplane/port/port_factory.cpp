// SPDX-License-Identifier: BSD-3-Clause
// Choosing the class of a port, and the checks before DPDK is asked.
#include "dataplane/port/port_factory.hpp"

#include <net/if.h>
#include <rte_lcore.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "dataplane/eal.hpp"
#include "dataplane/machine.hpp"
#include "dataplane/port/device_port.hpp"
#include "dataplane/port/memif_port.hpp"
#include "dataplane/port/netdev.hpp"
#include "dataplane/port/xdp_port.hpp"

namespace turnpike::dataplane {
namespace {

using shm::PortKind;

// Drivers that leave a PCI device to user space; mlx5's and mlx4's devices stay with their kernel driver.
constexpr std::array<std::string_view, 6> kUserSpaceDrivers{"vfio-pci",  "igb_uio",   "uio_pci_generic",
                                                            "mlx5_core", "mlx4_core", "uio_hv_generic"};

// An AF_XDP frame has to fit a page together with its headroom and our packet descriptor.
constexpr std::uint32_t kLargestXdpMtu = 3400;

Error bad(const PortSpec& spec, const std::string& what) { return Error{"port=" + spec.text + ": " + what}; }

Status check_pci(const PortSpec& spec, const Machine& machine) {
  const auto device = machine.pci_device(spec.device);
  if (!device)
    return bad(spec, "there is no PCI device " + spec.device + "; see dpdk-devbind.py --status-dev net");
  const auto* found = std::find(kUserSpaceDrivers.begin(), kUserSpaceDrivers.end(), device->driver);
  if (found != kUserSpaceDrivers.end()) return Unit{};
  const std::string holder =
      device->driver.empty() ? "no driver has it"
                             : "the kernel's driver " + device->driver +
                                   (device->netdev.empty() ? "" : " (" + device->netdev + ")") + " has it";
  return bad(spec, holder + "; type: modprobe vfio-pci && driverctl set-override " + spec.device +
                       " vfio-pci (or dpdk-devbind.py -b vfio-pci " + spec.device + ")");
}

Status check_directory(const PortSpec& spec) {
  const std::string directory = std::filesystem::path(spec.device).parent_path();
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error)) {
    return bad(spec, "there is no directory " + directory + "; make it first");
  }
  return Unit{};
}

}  // namespace

Status check_port(const PortSpec& spec) {
  if (!spec.twin.empty() && if_nametoindex(spec.twin.c_str()) != 0 && !is_tap(spec.twin)) {
    return bad(spec,
               "there is a netdev " + spec.twin + " already; give the twin another name with twin=NAME");
  }
  switch (spec.kind) {
    case PortKind::kPci:
      return check_pci(spec, Machine{});
    case PortKind::kXdp: {
      const auto netdev = read_netdev(spec.device);
      if (!netdev)
        return bad(spec, "there is no netdev " + spec.device + " in this network namespace; see ip link");
      if (netdev->mtu > kLargestXdpMtu) {
        return bad(spec, spec.device + " has an MTU of " + std::to_string(netdev->mtu) +
                             ", AF_XDP takes up to " + std::to_string(kLargestXdpMtu) +
                             "; type: ip link set " + spec.device + " mtu 1500");
      }
      if (!netdev->up) return bad(spec, spec.device + " is down; type: ip link set " + spec.device + " up");
      return Unit{};
    }
    case PortKind::kMemif:
    case PortKind::kVhost:
      return check_directory(spec);
    default:
      return Unit{};
  }
}

std::vector<std::string> port_warnings(const PortSpec& spec, const ManagedPort& port,
                                       const std::vector<unsigned>& worker_lcores) {
  std::vector<std::string> warnings;
  const auto* xdp = dynamic_cast<const XdpPort*>(&port);
  if (xdp != nullptr && xdp->generic() && spec.xdp_mode == XdpMode::kAuto) {
    warnings.push_back("port=" + spec.text + ": the driver " + netdev_driver(spec.device) +
                       " takes no XDP program, the kernel's generic hook is used (slower)");
  }
  const bool far = std::any_of(worker_lcores.begin(), worker_lcores.end(), [&](unsigned lcore) {
    return port.socket_id >= 0 && rte_lcore_to_socket_id(lcore) != static_cast<unsigned>(port.socket_id);
  });
  if (far) {
    warnings.push_back("port=" + spec.text + ": the NIC is on node " + std::to_string(port.socket_id) +
                       " and a worker is not; choose CPUs of that node with --lcores");
  }
  return warnings;
}

Result<std::unique_ptr<ManagedPort>> open_port(const PortSpec& spec, std::uint16_t index,
                                               const PortEnvironment& environment) {
  if (spec.kind == PortKind::kSocket) {
    return SocketPort::open(spec, index, environment.workers, environment.sockets, index == 0);
  }
  const auto open = spec.kind == PortKind::kXdp     ? XdpPort::open
                    : spec.kind == PortKind::kMemif ? MemifPort::open
                                                    : DevicePort::open;
  auto port = open(spec, index, environment);
  if (port) return port;
  const std::string complaint = Eal::last_complaint();
  return Error{complaint.empty() ? port.error() : port.error() + " (DPDK: " + complaint + ")"};
}

}  // namespace turnpike::dataplane
