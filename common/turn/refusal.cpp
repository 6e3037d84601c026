// SPDX-License-Identifier: BSD-3-Clause
// What a refusal costs: the whole request whose answer waits for the fact, else the fact's object.
#include "common/turn/refusal.hpp"

#include "common/turn/requests/requests.hpp"
#include "common/turn/response.hpp"

namespace turnpike::turn {

namespace {

void count_refusal(ServerCounters& counters, RefusalReason reason) {
  ++counters.facts_refused;
  if (reason == RefusalReason::kPortTaken) ++counters.ports_taken;
  if (reason == RefusalReason::kNoDescriptor) ++counters.no_descriptor;
}

// Answers the waiting request, one way or the other.
void refuse_request(Service& service, const PendingFact& fact, const WaitingReply& answer,
                    RefusalReason reason, Step& step) {
  const WorkerIndex worker = answer.reply.worker;
  if (reason == RefusalReason::kPortTaken && fact.kind == FactKind::kNewAllocation &&
      retry_allocate(service, {worker, fact.index, fact.generation}, answer.reply, step)) {
    return;
  }
  service.sessions.undo(worker, answer.facts, step);
  service.counters.count_error(stun::ErrorCode::kInsufficientCapacity);
  Response response(service, answer.reply, stun::MessageClass::kError);
  response.writer().add_error(stun::ErrorCode::kInsufficientCapacity);
  response.send(step.effects);
}

}  // namespace

void take_refusal(Service& service, WorkerIndex worker, std::uint64_t seq, RefusalReason reason, Step& step) {
  FactLog& log = service.sessions.log(worker);
  const PendingFact* found = log.find(seq);
  if (found == nullptr) {
    ++service.counters.facts_refused_unknown;
    return;
  }
  count_refusal(service.counters, reason);
  const PendingFact fact = *found;
  WaitingReply* waiting = log.waiting_for(seq);
  const bool answered = waiting != nullptr;
  if (answered && !waiting->refused) {
    waiting->refused = true;
    refuse_request(service, fact, WaitingReply(*waiting), reason, step);
  }
  if (fact.kind != FactKind::kRestated) {
    if (!answered) service.sessions.undo(worker, {seq, seq}, step);
  } else if (!answered || fact.object == ObjectKind::kAllocation) {
    service.sessions.give_up(worker, fact, step);
  }
}

}  // namespace turnpike::turn
