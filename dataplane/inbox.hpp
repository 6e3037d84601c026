// SPDX-License-Identifier: BSD-3-Clause
// Commands from control, a bounded number per pass. Nothing in the region is believed: a command with an
// impossible length, index or enum is counted and skipped.
#pragma once

#include "dataplane/lcore.hpp"

namespace turnpike::dataplane {

// Removing an allocation with a permission and a channel out of a million touches some twenty lines, 2 to 3
// us when none is cached: so many keep a pass of nothing but expiries under 100 us, media in between.
inline constexpr std::uint32_t kCommandsPerPass = 16;

// Returns how many messages were taken. Publishes applied_seq after the last one.
std::uint32_t drain_inbox(Lcore& lcore) noexcept;

}  // namespace turnpike::dataplane
