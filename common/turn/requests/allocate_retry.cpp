// SPDX-License-Identifier: BSD-3-Clause
// Allocate once more, when another process turns out to hold the relay port that was picked.
#include "common/turn/requests/relay_wish.hpp"
#include "common/turn/requests/requests.hpp"

namespace turnpike::turn {

namespace {

constexpr std::uint8_t kMaxRetries = 8;  // of one request

RelayWish wish_of(const Allocation& allocation) {
  RelayWish wish;
  for (int i = 0; i < 2; ++i) wish.wants[i] = allocation.legs[i].present();
  wish.dual = wish.wants[0] && wish.wants[1];
  wish.port = allocation.wish;
  return wish;
}

// A client that has sent more than its Allocate, or an allocation that cannot have another port, gets no
// second try.
bool may_retry(const Allocation& allocation, Time now) {
  const bool untouched = allocation.permission_count == 0 && allocation.channel_count == 0;
  return untouched && !allocation.keeps_port && allocation.ports_refused <= kMaxRetries &&
         !has_passed(allocation.deadline(), now);
}

}  // namespace

bool retry_allocate(Service& service, SlotId refused, const ReplyContext& reply, Step& step) {
  Allocation* allocation = service.sessions.find(refused);
  if (allocation == nullptr) return false;
  service.sessions.rest_shared_ports(*allocation, step.now);
  ++allocation->ports_refused;
  if (!may_retry(*allocation, step.now)) return false;
  // Nobody has heard of the other half of a pair: the answer with its token never left.
  if (allocation->has_reservation) {
    if (const auto port = service.commons.withdraw(allocation->reservation))
      service.sessions.ports().put_back(*port);
  }
  NewAllocation spec;
  spec.worker = refused.worker;
  if (take_ports(service, wish_of(*allocation), step.now, spec)) return false;

  FactScope facts(service, refused.worker);
  if (spec.reservation) allocation->reservation = *spec.reservation;
  if (spec.failure.family != Family::kNone) allocation->failure = spec.failure;
  service.sessions.change_ports(*allocation, spec, step);
  if (allocation->latest == reply.transaction) allocation->latest_fact = facts.span().last;
  send_allocated(service, reply, *allocation, step, facts.span());
  return true;
}

}  // namespace turnpike::turn
