// SPDX-License-Identifier: BSD-3-Clause
// RFC 8656 section 7.2 items 5 to 9, from the side of the ports.
#include "common/turn/requests/relay_wish.hpp"

namespace turnpike::turn {

namespace {

using stun::ErrorCode;

constexpr Family kFamilies[2] = {Family::kIpv4, Family::kIpv6};

}  // namespace

std::optional<ErrorCode> take_ports(Service& service, const RelayWish& wish, Time now, NewAllocation& spec) {
  spec.wish = wish.port;
  if (wish.token) {
    const auto port = service.commons.redeem(*wish.token, now);
    if (!port) return ErrorCode::kInsufficientCapacity;  // another server's client was quicker
    spec.ports[wish.wants[1] ? 1 : 0] = port;
    spec.keeps_port = true;
    return std::nullopt;
  }
  if (wish.port == PortWish::kPair && service.commons.reservations_full())
    return ErrorCode::kInsufficientCapacity;
  AddressFailure failures[2];
  for (int i = 0; i < 2; ++i) {
    if (!wish.wants[i]) continue;
    spec.ports[i] = service.sessions.take_port(kFamilies[i], spec.worker, wish.port, now);
    if (spec.ports[i]) continue;
    const bool served = service.sessions.ports().has(kFamilies[i]);
    failures[i] = {kFamilies[i],
                   served ? ErrorCode::kInsufficientCapacity : ErrorCode::kAddressFamilyNotSupported};
    if (served) ++service.counters.full_ports;
  }
  if (!spec.ports[0] && !spec.ports[1]) {
    const bool unsupported = wish.dual && failures[0].error == ErrorCode::kAddressFamilyNotSupported &&
                             failures[1].error == ErrorCode::kAddressFamilyNotSupported;
    return unsupported ? ErrorCode::kAddressFamilyNotSupported : ErrorCode::kInsufficientCapacity;
  }
  spec.failure = failures[0].family != Family::kNone ? failures[0] : failures[1];
  if (wish.port == PortWish::kPair) {
    RelayPort next = spec.ports[0] ? *spec.ports[0] : *spec.ports[1];
    ++next.port;
    spec.reservation = service.commons.reserve(next, now, service.random);
  }
  return std::nullopt;
}

}  // namespace turnpike::turn
