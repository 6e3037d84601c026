// SPDX-License-Identifier: BSD-3-Clause
// One case a kind of port.
#include "dataplane/capabilities.hpp"

#include <linux/capability.h>

namespace turnpike::dataplane {
namespace {

using process::CapabilitySet;

constexpr std::uint16_t kFirstOrdinaryPort = 1024;

CapabilitySet needed_by(shm::PortKind kind, const StartOptions& options, const RunningPorts& ports) {
  const bool root = !options.run_as;
  CapabilitySet needed;
  switch (kind) {
    case shm::PortKind::kSocket:
      // Relay sockets are made as sessions come.
      if (options.relay_min < kFirstOrdinaryPort) needed |= {CAP_NET_BIND_SERVICE};
      if (root && ports.small_buffers) needed |= {CAP_NET_ADMIN};
      break;
    case shm::PortKind::kXdp:
      // Map updates go by descriptor, wake-ups are sends, links are only read.
      if (root && ports.restore_vlan) needed |= {CAP_NET_ADMIN};
      break;
    case shm::PortKind::kMemif:
    case shm::PortKind::kVhost:
      // A peer that comes back may be another user's.
      if (root) needed |= {CAP_DAC_OVERRIDE};
      break;
    case shm::PortKind::kPci:
      // VFIO maps and locks memory that is reserved later; mlx5 makes flows through the kernel.
      needed |= {CAP_IPC_LOCK, CAP_NET_ADMIN, CAP_NET_RAW};
      break;
    case shm::PortKind::kVdev:
      needed |= {CAP_NET_ADMIN, CAP_NET_RAW};  // net_tap, net_af_packet
      break;
    case shm::PortKind::kNone:
      break;
  }
  return needed;
}

}  // namespace

CapabilitySet kept_capabilities(const StartOptions& options, const RunningPorts& ports) {
  CapabilitySet kept;
  for (const PortSpec& port : options.ports) kept |= needed_by(port.kind, options, ports);
  return kept;
}

}  // namespace turnpike::dataplane
