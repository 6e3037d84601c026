// SPDX-License-Identifier: BSD-3-Clause
// One endpoint, a socket for each thread of control: the kernel spreads the clients over them (SO_REUSEPORT).
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "common/base/types.hpp"
#include "common/base/worker_share.hpp"

namespace turnpike::control {

// The first one is bound like a socket that nobody shares, so that another program on the endpoint is found
// out whoever it is; then it lets the others in.
enum class PortUse : std::uint8_t { kAlone, kFirst, kOther };

constexpr PortUse port_use(const WorkerShare& share) {
  if (share.parts == 1) return PortUse::kAlone;
  return share.part == 0 ? PortUse::kFirst : PortUse::kOther;
}

inline void share_port(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}
inline void before_bind(int fd, PortUse use) {
  if (use == PortUse::kOther) share_port(fd);
}
inline void after_bind(int fd, PortUse use) {
  if (use == PortUse::kFirst) share_port(fd);
}

}  // namespace turnpike::control
