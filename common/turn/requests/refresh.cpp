// SPDX-License-Identifier: BSD-3-Clause
// Refresh (RFC 8656 section 8.2).
#include "common/turn/lifetime.hpp"
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

using stun::Attribute;
using stun::ErrorCode;

void send_lifetime(Service& service, const Request& request, std::uint32_t lifetime, const FactSpan& facts) {
  Response response(service, request.reply, stun::MessageClass::kSuccess);
  response.writer().add_u32(Attribute::kLifetime, lifetime);
  response.send(request.step.effects, facts);
}

struct RefreshWish {
  bool has_family = false;
  std::vector<Family> families;           // that it concerns
  std::optional<std::uint32_t> lifetime;  // as the client wrote it
};

std::optional<ErrorCode> read(const Request& request, const Allocation& allocation, RefreshWish& wish) {
  if (const auto value = request.message.find(Attribute::kLifetime)) {
    wish.lifetime = stun::decode_lifetime(*value);
    if (!wish.lifetime) return ErrorCode::kBadRequest;
  }
  const auto value = request.message.find(Attribute::kRequestedAddressFamily);
  if (!value) {
    wish.families = {Family::kIpv4, Family::kIpv6};
    return std::nullopt;
  }
  const auto family = stun::decode_address_family(*value);
  if (!family) return ErrorCode::kBadRequest;
  const bool known = *family == 1 || *family == 2;
  if (!known || !allocation.leg(static_cast<Family>(*family)).present()) {
    return ErrorCode::kPeerAddressFamilyMismatch;
  }
  wish.has_family = true;
  wish.families = {static_cast<Family>(*family)};
  return std::nullopt;
}

void serve_deletion(Service& service, Request& request, Allocation& allocation, const RefreshWish& wish) {
  FactScope facts(service, allocation.id.worker);
  if (wish.has_family) {
    service.sessions.remove_family(allocation, wish.families.front(), request.step.effects);
  } else {
    service.sessions.remove(allocation, request.step.effects, EndReason::kDeleted);
  }
  if (service.sessions.find(allocation.id) == nullptr) ++service.counters.allocations_deleted;
  const Time now = request.step.now;
  service.deletions.remember({request.from, request.reply.transaction, request.reply.worker,
                              facts.span().last, now + DeletionMemory::kMemory},
                             now);
  send_lifetime(service, request, 0, facts.span());
}

// The limit as it is configured by now: a reload reaches what lives at its next Refresh.
std::uint64_t change_max_bps(Service& service, const Allocation& allocation) {
  return service.commons.change_bandwidth(service.max_bps_of(allocation.user->realm), allocation.max_bps,
                                          service.quotas.bps_capacity);
}

}  // namespace

bool repeat_deletion(Service& service, Request& request) {
  const auto* deletion =
      service.deletions.find(request.from, request.message.transaction_id(), request.step.now);
  if (deletion == nullptr) return false;
  ++service.counters.retransmitted_deletions;
  request.reply.worker = deletion->worker;
  // The deletion's own reply is still waiting for the worker, and will go out as the answer to both.
  if (service.sessions.log(deletion->worker).applied() < deletion->fact) {
    ++service.counters.duplicates_in_flight;
    return true;
  }
  send_lifetime(service, request, 0, {});
  return true;
}

void serve_refresh(Service& service, Request& request, Allocation& allocation) {
  RefreshWish wish;
  if (const auto error = read(request, allocation, wish)) return send_error(service, request, *error);
  if (wish.lifetime == 0u) return serve_deletion(service, request, allocation, wish);

  // An ephemeral credential is still good here, and the allocation ends with it.
  const Time now = request.step.now;
  const Time deadline = std::min(now + granted_lifetime(service.config, wish.lifetime), request.valid_until);
  const auto lifetime = std::chrono::ceil<seconds>(deadline - now);
  FactScope facts(service, allocation.id.worker);
  service.sessions.refresh(allocation, wish.families, deadline, change_max_bps(service, allocation),
                           request.step);
  remember_latest(allocation, request, facts.span());
  send_lifetime(service, request, static_cast<std::uint32_t>(lifetime.count()), facts.span());
}

}  // namespace turnpike::turn
