// SPDX-License-Identifier: BSD-3-Clause
// Allocate (RFC 8656 section 7.2).
#include "common/turn/lifetime.hpp"
#include "common/turn/requests/relay_wish.hpp"
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::Attribute;
using stun::ErrorCode;

// What the request asks for, as far as it is well-formed.
struct Wish {
  RelayWish relay;
  std::optional<std::uint32_t> lifetime;
};

std::optional<ErrorCode> read_transport(const Request& request) {
  const auto value = request.message.find(Attribute::kRequestedTransport);
  const auto transport = value ? stun::decode_requested_transport(*value) : std::nullopt;
  if (!transport) return ErrorCode::kBadRequest;
  if (*transport != stun::kTransportUdp) return ErrorCode::kUnsupportedTransportProtocol;
  return std::nullopt;
}

// Items 5 to 9 of the RFC: which attributes go together.
std::optional<ErrorCode> read_families(const Service& service, const Request& request, RelayWish& wish) {
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

std::optional<ErrorCode> read_token(const Service& service, const Request& request, Bytes value,
                                    RelayWish& wish) {
  const stun::MessageView& message = request.message;
  wish.token = stun::decode_reservation_token(value);
  const bool conflict = message.has(Attribute::kEvenPort) ||
                        message.has(Attribute::kRequestedAddressFamily) ||
                        message.has(Attribute::kAdditionalAddressFamily);
  if (!wish.token || conflict) return ErrorCode::kBadRequest;
  const auto port = service.commons.find_reserved(*wish.token, request.step.now);
  if (!port) return ErrorCode::kInsufficientCapacity;
  wish.wants[service.config.relay_addresses[port->address].own.is_v6() ? 1 : 0] = true;
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
  const auto token = message.find(Attribute::kReservationToken);
  if (service.config.multiplex_peer && (even || token)) {  // nobody can have a port to himself
    ++service.counters.shared_port_wishes;
    return ErrorCode::kBadRequest;
  }
  if (token) return read_token(service, request, *token, wish.relay);
  if (even) {
    const auto reserve = stun::decode_even_port(*even);
    if (!reserve) return ErrorCode::kBadRequest;
    wish.relay.port = *reserve ? PortWish::kPair : PortWish::kEven;
  }
  return read_families(service, request, wish.relay);
}

// False: a quota is reached. Without authentication everybody is the same nobody, who has none.
bool join(const Service& service, const Request& request, Place& place) {
  if (!service.config.authenticate) return place.join(request.user, 0, 0);
  const RealmLimits own = service.limits_of(request.user.realm);
  return place.join(request.user, own.user_quota != 0 ? own.user_quota : service.quotas.user,
                    own.total_quota != 0 ? own.total_quota : service.quotas.total);
}

// False: there is to be a limit, and no bandwidth is left.
bool take_bandwidth(const Service& service, const Request& request, Place& place) {
  const std::uint64_t wanted = service.max_bps_of(request.user.realm);
  return wanted == 0 || place.take_bandwidth(wanted, service.quotas.bps_capacity);
}

// What is refused whatever was asked for.
std::optional<ErrorCode> check_admission(Service& service, const Request& request, Place& place) {
  if (!join(service, request, place)) return ErrorCode::kAllocationQuotaReached;
  if (is_teredo_or_6to4(request.from.client.address)) return ErrorCode::kForbidden;  // RFC 8656 section 21.4
  if (!take_bandwidth(service, request, place)) {
    ++service.counters.full_bandwidth;
    return ErrorCode::kAllocationQuotaReached;
  }
  return std::nullopt;
}

}  // namespace

void send_allocated(Service& service, const ReplyContext& reply, const Allocation& allocation,
                    const Step& step, const FactSpan& facts) {
  Response response(service, reply, stun::MessageClass::kSuccess);
  stun::MessageWriter& writer = response.writer();
  for (const RelayLeg& leg : allocation.legs) {
    if (leg.present()) writer.add_xor_address(Attribute::kXorRelayedAddress, service.own.outside(leg.own));
  }
  const auto left = std::chrono::ceil<seconds>(allocation.deadline() - step.now);
  writer.add_u32(Attribute::kLifetime, static_cast<std::uint32_t>(left.count()));
  writer.add_xor_address(Attribute::kXorMappedAddress, reply.to.client);
  if (allocation.has_reservation) writer.add(Attribute::kReservationToken, allocation.reservation);
  if (allocation.failure.family != Family::kNone) {
    writer.add_address_error(allocation.failure.family, allocation.failure.error);
  }
  response.send(step.effects, facts);
}

void serve_allocate(Service& service, Request& request, Allocation* existing) {
  if (existing != nullptr) {
    if (existing->created_by != request.reply.transaction) {
      return send_error(service, request, ErrorCode::kAllocationMismatch);
    }
    ++service.counters.retransmitted_allocates;
    return send_allocated(service, request.reply, *existing, request.step, {});
  }
  FactScope facts(service, request.reply.worker);
  service.sessions.take_back_ports(request.step.now);
  Wish wish;
  if (const auto error = read(service, request, wish)) return send_error(service, request, *error);
  // The other half of a pair belongs to a call that was let in.
  if (service.draining && !wish.relay.token) return redirect(service, request);
  Place place(service.commons);
  if (const auto error = check_admission(service, request, place))
    return send_error(service, request, *error);
  if (!service.sessions.has_room(request.reply.worker)) {
    ++service.counters.full_allocations;
    return send_error(service, request, ErrorCode::kInsufficientCapacity);
  }
  NewAllocation spec;
  spec.five_tuple = request.from;
  spec.worker = request.reply.worker;
  spec.transaction = request.reply.transaction;
  spec.deadline =
      std::min(request.step.now + granted_lifetime(service.config, wish.lifetime), request.valid_until);
  if (const auto error = take_ports(service, wish.relay, request.step.now, spec)) {
    return send_error(service, request, *error);
  }
  const Place::Kept kept = place.keep();
  spec.user = kept.user;
  spec.max_bps = kept.max_bps;
  Allocation& allocation = service.sessions.create(spec, request.step);
  remember_latest(allocation, request, facts.span());
  send_allocated(service, request.reply, allocation, request.step, facts.span());
}

}  // namespace turnpike::turn
