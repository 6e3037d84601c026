// SPDX-License-Identifier: BSD-3-Clause
// What the observer is told of sessions, each once.
#include "common/turn/sessions.hpp"

namespace turnpike::turn {

SessionRecord Sessions::record_of(const Allocation& allocation) const {
  SessionRecord record;
  record.allocation = allocation.id;
  record.five_tuple = allocation.five_tuple;
  record.realm = allocation.user->realm;
  record.user = allocation.user->name;
  record.relay_v4 = RelayEndpoint(own_.outside(allocation.legs[0].own));
  record.relay_v6 = RelayEndpoint(own_.outside(allocation.legs[1].own));
  record.created = allocation.created;
  record.installed_by = allocation.installed_by;
  record.peers = allocation.peers.named();
  record.peer_count = allocation.peers.count();
  return record;
}

// A fact that was refused counts as applied too: by then its allocation is gone, or has later ports.
void Sessions::report_begin(WorkerIndex worker, std::uint64_t seq, const PendingFact& fact) {
  Allocation* allocation = find(SlotId{worker, fact.index, fact.generation});
  if (allocation == nullptr || allocation->installed_by != seq || allocation->begun) return;
  allocation->begun = true;
  observer_.on_begin(record_of(*allocation));
}

void Sessions::report_end(Allocation& allocation, EndReason reason) {
  SessionRecord record = record_of(allocation);
  if (!allocation.begun && reason == EndReason::kRefused) {
    record.installed_by = kNeverInstalled;
  } else if (!allocation.begun) {  // it is not known yet that the worker has applied the beginning
    observer_.on_begin(record);
  }
  allocation.begun = true;
  observer_.on_end(record, reason);
}

}  // namespace turnpike::turn
