// SPDX-License-Identifier: BSD-3-Clause
// CreatePermission (RFC 8656 section 10.2). Everything is checked before anything is installed.
#include <algorithm>

#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::ErrorCode;

// The peers of the request, each once, in their inside form.
std::optional<ErrorCode> collect_peers(const Service& service, const Request& request,
                                       const Allocation& allocation, std::vector<IpAddress>& peers) {
  const AddressPolicy& policy = service.policies.of(allocation.user->realm);
  bool malformed = false;
  bool mismatch = false;
  bool forbidden = false;
  request.message.for_each(stun::Attribute::kXorPeerAddress, [&](Bytes value) {
    const auto peer = stun::decode_xor_address(value, request.message.transaction_id());
    if (!peer) {
      malformed = true;
    } else if (!allocation.leg(peer->address.family).present()) {
      mismatch = true;
    } else if (!service.own.permits(policy, peer->address)) {
      forbidden = true;
    } else {
      peers.push_back(service.own.inside(peer->address));
    }
  });
  if (malformed || (peers.empty() && !mismatch && !forbidden)) return ErrorCode::kBadRequest;
  if (mismatch) return ErrorCode::kPeerAddressFamilyMismatch;
  if (forbidden) return ErrorCode::kForbidden;
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return std::nullopt;
}

}  // namespace

void serve_create_permission(Service& service, Request& request, Allocation& allocation) {
  FactScope facts(service, allocation.id.worker);
  service.sessions.expire_peers(allocation, request.step);

  std::vector<IpAddress> peers;
  if (const auto error = collect_peers(service, request, allocation, peers)) {
    return send_error(service, request, *error);
  }
  const Time now = request.step.now;
  const auto fresh = std::count_if(peers.begin(), peers.end(), [&](const IpAddress& peer) {
    return service.sessions.find_permission(allocation, peer, now) == nullptr;
  });
  if (!service.sessions.has_room_for_permissions(allocation, static_cast<std::size_t>(fresh))) {
    return send_error(service, request, ErrorCode::kInsufficientCapacity);
  }
  for (const IpAddress& peer : peers) {
    service.sessions.permit(allocation, peer, now + service.config.permission_lifetime, request.step);
  }
  remember_latest(allocation, request, facts.span());
  Response(service, request.reply, stun::MessageClass::kSuccess).send(request.step.effects, facts.span());
}

}  // namespace turnpike::turn
