// SPDX-License-Identifier: BSD-3-Clause
// Two listeners for each worker instead of one: media does not wait, or get lost, in a queue of requests.
#pragma once

#include <cstddef>
#include <cstdint>

namespace turnpike::dataplane {

inline constexpr std::size_t kLanes = 2;  // requests and what else there is; ChannelData and Send indications

// For all sockets that share the address of this one (SO_REUSEPORT), opened in the order worker by worker,
// lane by lane. False: the kernel does not take the program.
bool attach_listener_lanes(int fd, bool v4, std::uint16_t workers) noexcept;

}  // namespace turnpike::dataplane
