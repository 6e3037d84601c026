// SPDX-License-Identifier: BSD-3-Clause
// Holds the listening endpoints in the kernel: a program that serves one already is noticed, and none can
// take one while its packets come to us.
#pragma once

#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/wire/endpoint.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {

// UDP sockets that are bound and never read. Addresses that the kernel does not have are left out.
Result<std::vector<UniqueFd>> hold_endpoints(std::span<const wire::ServerEndpoint> endpoints);

}  // namespace turnpike::control
