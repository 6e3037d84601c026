// SPDX-License-Identifier: BSD-3-Clause
// Which capabilities ports need while they run, once they have been opened. The table of docs/operations.md.
#pragma once

#include "common/process/privileges.hpp"
#include "dataplane/options.hpp"

namespace turnpike::dataplane {

// What is known only when the ports are open.
struct RunningPorts {
  bool restore_vlan = false;   // a NIC's VLAN stripping is to be put back at the end
  bool small_buffers = false;  // net.core.rmem_max or wmem_max is less than relay sockets want
};

process::CapabilitySet kept_capabilities(const StartOptions& options, const RunningPorts& ports);

}  // namespace turnpike::dataplane
