// SPDX-License-Identifier: BSD-3-Clause
// Holds the listening endpoints in the kernel: a program that serves one already is noticed, and none can
// take one while its packets come to us.
#pragma once

#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/wire/endpoint.hpp"
#include "control/listeners/port_use.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {

struct HeldEndpoint {
  wire::Endpoint endpoint;
  UniqueFd socket;
};

// A bound, non-blocking UDP socket; none (-1) where the kernel does not have the address, or has no right to
// the port. Fails, naming `option`, when another program has the port.
Result<UniqueFd> bind_udp(const wire::Endpoint& endpoint, const char* option, PortUse use = PortUse::kAlone);

// UDP sockets on the ports of listening-port that the dataplane serves, so that nobody else takes them; the
// kernel brings DTLS there. Addresses that the kernel does not have are left out.
Result<std::vector<HeldEndpoint>> hold_endpoints(std::span<const wire::ServerEndpoint> endpoints,
                                                 PortUse use = PortUse::kAlone);

}  // namespace turnpike::control
