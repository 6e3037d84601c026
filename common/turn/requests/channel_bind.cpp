// SPDX-License-Identifier: BSD-3-Clause
// ChannelBind (RFC 8656 section 12.2).
#include "common/stun/channel_data.hpp"
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::Attribute;
using stun::ErrorCode;

// Why 508 and not 403 or 446: docs/multiplex-peer.md.
constexpr std::string_view kPeerTaken = "Peer Taken On Shared Relay Port";

struct Binding {
  std::uint16_t number = 0;
  PeerEndpoint peer;  // inside form
};

std::optional<ErrorCode> check(Service& service, const Request& request, const Allocation& allocation,
                               Binding& binding) {
  const auto number_value = request.message.find(Attribute::kChannelNumber);
  const auto peer_value = request.message.find(Attribute::kXorPeerAddress);
  if (!number_value || !peer_value) return ErrorCode::kBadRequest;
  const auto number = stun::decode_channel_number(*number_value);
  const auto peer = stun::decode_xor_address(*peer_value, request.message.transaction_id());
  if (!number || !peer || peer->port == 0) return ErrorCode::kBadRequest;
  if (!stun::is_channel_number(*number, service.config.rfc5766_channels)) return ErrorCode::kBadRequest;
  if (!allocation.leg(peer->address.family).present()) return ErrorCode::kPeerAddressFamilyMismatch;

  binding = {*number, PeerEndpoint(service.own.inside(*peer))};
  const Time now = request.step.now;
  const Channel* by_number = service.sessions.find_channel(allocation, binding.number, now);
  const Channel* by_peer = service.sessions.find_channel(allocation, binding.peer, now);
  if (by_number != by_peer) return ErrorCode::kBadRequest;  // either is bound to something else

  if (!service.own.permits(service.policies.of(allocation.user->realm), *peer)) return ErrorCode::kForbidden;
  const bool permitted = service.sessions.find_permission(allocation, binding.peer.address, now) != nullptr;
  if (!permitted && !service.sessions.has_room_for_permissions(allocation, 1)) {
    return ErrorCode::kInsufficientCapacity;
  }
  if (by_number == nullptr && !service.sessions.has_room_for_channel(allocation)) {
    return ErrorCode::kInsufficientCapacity;
  }
  return std::nullopt;
}

}  // namespace

void serve_channel_bind(Service& service, Request& request, Allocation& allocation) {
  FactScope facts(service, allocation.id.worker);
  service.sessions.expire_peers(allocation, request.step);
  Binding binding;
  if (const auto error = check(service, request, allocation, binding))
    return send_error(service, request, *error);
  if (service.sessions.is_peer_taken(allocation, binding.peer, request.step)) {
    ++service.counters.shared_peer_taken;
    return send_error(service, request, ErrorCode::kInsufficientCapacity, kPeerTaken);
  }
  service.sessions.bind(allocation, binding.number, binding.peer, request.step);
  remember_latest(allocation, request, facts.span());
  Response(service, request.reply, stun::MessageClass::kSuccess).send(request.step.effects, facts.span());
}

}  // namespace turnpike::turn
