// SPDX-License-Identifier: BSD-3-Clause
// The answer to an Allocate for which there is no room for good: 300 with other servers (RFC 8489 section
// 10), or 508.
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::ErrorCode;
using wire::Family;

Family other_family(Family family) { return family == Family::kIpv4 ? Family::kIpv6 : Family::kIpv4; }

}  // namespace

void redirect(Service& service, const Request& request) {
  ++service.counters.refused_draining;
  const Family family = request.from.client.address.family;
  const std::uint16_t port = request.from.server.port;
  // RFC 8489 section 14.8: never to who has not authenticated.
  const bool proved = request.reply.integrity != stun::IntegrityKind::kNone;
  const auto server = proved ? service.alternates.take(family, port) : std::nullopt;
  if (!server) return send_error(service, request, ErrorCode::kInsufficientCapacity);
  service.counters.count_error(ErrorCode::kTryAlternate);
  Response response(service, request.reply, stun::MessageClass::kError);
  response.writer().add_error(ErrorCode::kTryAlternate);
  // The client's own family comes first; its other one may follow.
  response.writer().add_address(stun::Attribute::kAlternateServer, *server);
  if (const auto second = service.alternates.take(other_family(family), port)) {
    response.writer().add_address(stun::Attribute::kAlternateServer, *second);
  }
  response.send(request.step.effects);
}

}  // namespace turnpike::turn
