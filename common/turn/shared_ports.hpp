// SPDX-License-Identifier: BSD-3-Clause
// Which relay ports the workers share out among their allocations when peers are multiplexed: the arithmetic,
// for who picks a port, who opens it and who steers packets to it.
#pragma once

#include <cstdint>

#include "common/base/steering.hpp"
#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

// Worker i of `workers` has the ports base + 2 * (i * per_worker + slot) for IPv4 and the next one for IPv6,
// for slot = 0 .. per_worker-1.
struct SharedPorts {
  std::uint16_t base = 3480;
  std::uint16_t per_worker = 1;
  WorkerIndex workers = 1;

  constexpr std::uint32_t slots() const noexcept { return std::uint32_t{workers} * per_worker; }
  // Whether all of them are ports at all; otherwise range() is empty and no port is anybody's.
  constexpr bool fit() const noexcept {
    return base != 0 && slots() != 0 && base + 2 * std::uint64_t{slots()} <= 65536;
  }
  // `slot` < per_worker, `worker` < workers, and they fit().
  constexpr std::uint16_t port(WorkerIndex worker, std::uint16_t slot, wire::Family family) const noexcept {
    const std::uint32_t place = std::uint32_t{worker} * per_worker + slot;
    return static_cast<std::uint16_t>(base + 2 * place + (family == wire::Family::kIpv6 ? 1 : 0));
  }
  constexpr PortRange range() const noexcept {
    if (!fit()) return {};
    return {base, static_cast<std::uint16_t>(base + 2 * slots() - 1)};
  }
  constexpr WorkerIndex owner(std::uint16_t port) const noexcept {
    if (!range().contains(port)) return kNoWorker;
    return static_cast<WorkerIndex>((port - base) / 2 / per_worker);
  }
};

}  // namespace turnpike::turn
