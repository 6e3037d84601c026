// SPDX-License-Identifier: BSD-3-Clause
// Commands from control, a bounded number per pass. Nothing in the region is believed: a command with an
// impossible length, index or enum is counted and skipped.
#pragma once

#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {

inline constexpr std::uint32_t kCommandsPerPass = 32;

// Returns how many messages were taken. Publishes applied_seq after the last one.
std::uint32_t drain_inbox(Lcore& lcore) noexcept;

}  // namespace turnpike::dataplane
