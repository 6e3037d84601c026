// SPDX-License-Identifier: BSD-3-Clause
// How much memory the server's processes have.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.hpp"

namespace turnpike::load {

// VmRSS of all of them together.
Result<std::uint64_t> resident_kib(const std::vector<int>& pids);

}  // namespace turnpike::load
