// SPDX-License-Identifier: BSD-3-Clause
// Allocate (RFC 8656 section 7.2).
#include "common/turn/lifetime.hpp"
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::Attribute;
using stun::ErrorCode;

// What the request asks for, as far as it is well-formed.
struct Wish {
  bool wants[2] = {false, false};  // IPv4, IPv6
  bool dual = false;               // ADDITIONAL-ADDRESS-FAMILY: one family is enough
  PortWish port = PortWish::kAny;
  std::optional<stun::ReservationToken> token;
  std::optional<std::uint32_t> lifetime;
};

constexpr Family kFamilies[2] = {Family::kIpv4, Family::kIpv6};

std::optional<ErrorCode> read_transport(const Request& request) {
  const auto value = request.message.find(Attribute::kRequestedTransport);
  const auto transport = value ? stun::decode_requested_transport(*value) : std::nullopt;
  if (!transport) return ErrorCode::kBadRequest;
  if (*transport != stun::kTransportUdp) return ErrorCode::kUnsupportedTransportProtocol;
  return std::nullopt;
}

// Items 5 to 9 of the RFC: which attributes go together.
std::optional<ErrorCode> read_families(const Service& service, const Request& request, Wish& wish) {
  const auto requested = request.message.find(Attribute::kRequestedAddressFamily);
  const auto additional = request.message.find(Attribute::kAdditionalAddressFamily);
  if (requested && additional) return ErrorCode::kBadRequest;
  if (additional) {
    if (wish.port == PortWish::kPair) return ErrorCode::kBadRequest;
    if (stun::decode_address_family(*additional) != std::uint8_t{2}) return ErrorCode::kBadRequest;
    wish.dual = wish.wants[0] = wish.wants[1] = true;
    return std::nullopt;
  }
  std::uint8_t family = 1;  // IPv4 unless the client says otherwise, whatever its own family is
  if (requested) {
    const auto value = stun::decode_address_family(*requested);
    if (!value) return ErrorCode::kBadRequest;
    family = *value;
  }
  if (family != 1 && family != 2) return ErrorCode::kAddressFamilyNotSupported;
  if (!service.sessions.ports().has(static_cast<Family>(family)))
    return ErrorCode::kAddressFamilyNotSupported;
  wish.wants[family - 1] = true;
  return std::nullopt;
}

std::optional<ErrorCode> read(Service& service, const Request& request, Wish& wish) {
  const stun::MessageView& message = request.message;
  if (const auto error = read_transport(request)) return error;
  if (const auto value = message.find(Attribute::kLifetime)) {
    wish.lifetime = stun::decode_lifetime(*value);
    if (!wish.lifetime) return ErrorCode::kBadRequest;
  }
  const auto even = message.find(Attribute::kEvenPort);
  if (const auto value = message.find(Attribute::kReservationToken)) {
    wish.token = stun::decode_reservation_token(*value);
    const bool conflict = even || message.has(Attribute::kRequestedAddressFamily) ||
                          message.has(Attribute::kAdditionalAddressFamily);
    if (!wish.token || conflict) return ErrorCode::kBadRequest;
    const auto port = service.reservations.find(*wish.token, request.step.now);
    if (!port) return ErrorCode::kInsufficientCapacity;
    wish.wants[service.config.relay_addresses[port->address].own.is_v6() ? 1 : 0] = true;
    return std::nullopt;
  }
  if (even) {
    const auto reserve = stun::decode_even_port(*even);
    if (!reserve) return ErrorCode::kBadRequest;
    wish.port = *reserve ? PortWish::kPair : PortWish::kEven;
  }
  return read_families(service, request, wish);
}

// What is refused whatever was asked for.
std::optional<ErrorCode> check_admission(const Service& service, const Request& request) {
  const std::uint32_t quota = service.config.authenticate ? service.config.user_quota : 0;
  if (quota != 0 && service.sessions.users().allocations(request.user) >= quota) {
    return ErrorCode::kAllocationQuotaReached;
  }
  if (is_teredo_or_6to4(request.from.client.address)) return ErrorCode::kForbidden;  // RFC 8656 section 21.4
  if (service.draining) return ErrorCode::kForbidden;
  return std::nullopt;
}

// Takes the ports; on an error none is taken.
std::optional<ErrorCode> take_ports(Service& service, const Request& request, const Wish& wish,
                                    NewAllocation& spec) {
  const Time now = request.step.now;
  if (wish.token) {
    const RelayPort port = *service.reservations.find(*wish.token, now);
    service.reservations.consume(*wish.token);
    spec.ports[wish.wants[1] ? 1 : 0] = port;
    return std::nullopt;
  }
  if (wish.port == PortWish::kPair && service.reservations.full()) return ErrorCode::kInsufficientCapacity;
  PortPool& ports = service.sessions.ports();
  AddressFailure failures[2];
  for (int i = 0; i < 2; ++i) {
    if (!wish.wants[i]) continue;
    spec.ports[i] = ports.take(kFamilies[i], spec.worker, wish.port, now);
    if (spec.ports[i]) continue;
    const bool served = ports.has(kFamilies[i]);
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
    spec.reservation = service.reservations.hold(next, now);
  }
  return std::nullopt;
}

// For the first answer and its repetitions alike.
void send_success(Service& service, const Request& request, const Allocation& allocation,
                  const FactSpan& facts) {
  Response response(service, request.reply, stun::MessageClass::kSuccess);
  stun::MessageWriter& writer = response.writer();
  for (const RelayLeg& leg : allocation.legs) {
    if (leg.present()) writer.add_xor_address(Attribute::kXorRelayedAddress, service.own.outside(leg.own));
  }
  const auto left = std::chrono::ceil<seconds>(allocation.deadline() - request.step.now);
  writer.add_u32(Attribute::kLifetime, static_cast<std::uint32_t>(left.count()));
  writer.add_xor_address(Attribute::kXorMappedAddress, request.from.client);
  if (allocation.has_reservation) writer.add(Attribute::kReservationToken, allocation.reservation);
  if (allocation.failure.family != Family::kNone) {
    writer.add_address_error(allocation.failure.family, allocation.failure.error);
  }
  response.send(request.step.effects, facts);
}

}  // namespace

void serve_allocate(Service& service, Request& request, Allocation* existing) {
  if (existing != nullptr) {
    if (existing->created_by != request.reply.transaction) {
      return send_error(service, request, ErrorCode::kAllocationMismatch);
    }
    ++service.counters.retransmitted_allocates;
    return send_success(service, request, *existing, {});
  }
  FactScope facts(service, request.reply.worker);
  service.reservations.expire(request.step.now);
  Wish wish;
  if (const auto error = read(service, request, wish)) return send_error(service, request, *error);
  if (const auto error = check_admission(service, request)) return send_error(service, request, *error);
  if (!service.sessions.has_room(request.reply.worker)) {
    ++service.counters.full_allocations;
    return send_error(service, request, ErrorCode::kInsufficientCapacity);
  }
  NewAllocation spec;
  spec.five_tuple = request.from;
  spec.worker = request.reply.worker;
  spec.user = request.user;
  spec.transaction = request.reply.transaction;
  spec.deadline = request.step.now + granted_lifetime(service.config, wish.lifetime);
  if (const auto error = take_ports(service, request, wish, spec))
    return send_error(service, request, *error);
  Allocation& allocation = service.sessions.create(spec, request.step);
  remember_latest(allocation, request, facts.span());
  send_success(service, request, allocation, facts.span());
}

}  // namespace turnpike::turn
