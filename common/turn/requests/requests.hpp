// SPDX-License-Identifier: BSD-3-Clause
// One function a method. The common ladder (authentication, unknown attributes, allocation and its owner) is
// behind them; each checks its own attributes in the order of its RFC clause and answers.
#pragma once

#include "common/turn/response.hpp"

namespace turnpike::turn {

void serve_binding(Service& service, Request& request);
void serve_allocate(Service& service, Request& request, Allocation* existing);
void serve_refresh(Service& service, Request& request, Allocation& allocation);
void serve_create_permission(Service& service, Request& request, Allocation& allocation);
void serve_channel_bind(Service& service, Request& request, Allocation& allocation);

// An Allocate that comes too late: the server is draining.
void redirect(Service& service, const Request& request);

// The allocation that a worker refused because its relay port is taken, with other ports; its request waits
// on. False: it stays as it is, and 508 is due.
bool retry_allocate(Service& service, SlotId refused, const ReplyContext& reply, Step& step);
// The success of an Allocate: the first answer, its repetitions, and the answer after a retry.
void send_allocated(Service& service, const ReplyContext& reply, const Allocation& allocation,
                    const Step& step, const FactSpan& facts);

// A Refresh with lifetime 0 that was answered before: the same answer, whatever the 5-tuple holds now. False:
// it was not.
bool repeat_deletion(Service& service, Request& request);

// Marks the beginning of a request's facts on one worker.
class FactScope {
public:
  FactScope(Service& service, WorkerIndex worker) : log_(service.sessions.log(worker)), mark_(log_.last()) {}
  FactSpan span() const { return log_.since(mark_); }

private:
  const FactLog& log_;
  std::uint64_t mark_;
};

// Keeps the request as the allocation's latest: its repetition is dropped until these facts are applied.
inline void remember_latest(Allocation& allocation, const Request& request, const FactSpan& facts) {
  allocation.latest = request.reply.transaction;
  allocation.latest_fact = facts.last;
}

}  // namespace turnpike::turn
