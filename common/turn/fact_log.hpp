// SPDX-License-Identifier: BSD-3-Clause
// The facts that one worker has not yet confirmed: what to undo when it refuses one, who waits for them, and
// what may be reused once it has applied them.
#pragma once

#include <algorithm>
#include <deque>

#include "common/turn/allocation.hpp"
#include "common/turn/reply_context.hpp"

namespace turnpike::turn {

enum class FactKind : std::uint8_t {
  kNewAllocation,
  kRefreshedAllocation,
  kNewPermission,
  kRefreshedPermission,
  kNewChannel,
  kRefreshedChannel,
  kRestated,  // an object's state said again: nothing to undo, but a refusal costs the object
  kRemoved,   // nothing to undo
};

enum class ObjectKind : std::uint8_t { kAllocation, kPermission, kChannel };

struct PendingFact {
  FactKind kind;
  ObjectKind object;
  std::uint32_t index;
  std::uint32_t generation;
  // Deadlines of a refreshed object before and after; two of them for the legs of an allocation. Only what
  // still has the deadline that this fact gave it is set back.
  std::array<Time, 2> before{};
  std::array<Time, 2> after{};
};

struct FactSpan {
  std::uint64_t first = 0;  // 0: no facts
  std::uint64_t last = 0;
};

struct WaitingReply {
  FactSpan facts;
  bool refused = false;
  ReplyContext reply;
};

// A slot or a port that the packet path may know until it has applied fact `seq`.
struct Retired {
  enum class Kind : std::uint8_t { kAllocation, kPermission, kChannel, kPort };
  std::uint64_t seq;
  Kind kind;
  std::uint32_t index;
  RelayPort port;
};

class FactLog {
public:
  // Facts are numbered from the one after `before`.
  explicit FactLog(std::uint64_t before) : last_(before), applied_(before) {}

  // Numbers the fact that is about to be emitted.
  std::uint64_t append(const PendingFact& fact) {
    pending_.push_back(fact);
    return last_++ + 1;
  }
  std::uint64_t last() const { return last_; }
  std::uint64_t applied() const { return applied_; }
  std::size_t pending_count() const { return pending_.size(); }
  // The facts after `mark`, which was last() some time ago.
  FactSpan since(std::uint64_t mark) const { return mark == last_ ? FactSpan{} : FactSpan{mark + 1, last_}; }

  // Nothing when it is applied already or was never emitted. Good until the next append() or confirm().
  const PendingFact* find(std::uint64_t seq) const {
    return seq <= applied_ || seq > last_ ? nullptr : &pending_[seq - applied_ - 1];
  }

  void wait(const FactSpan& facts, const ReplyContext& reply) { waiting_.push_back({facts, false, reply}); }
  WaitingReply* waiting_for(std::uint64_t seq) {
    const auto after =
        std::upper_bound(waiting_.begin(), waiting_.end(), seq,
                         [](std::uint64_t value, const WaitingReply& w) { return value < w.facts.first; });
    if (after == waiting_.begin()) return nullptr;
    WaitingReply& candidate = *(after - 1);
    return seq <= candidate.facts.last ? &candidate : nullptr;
  }

  // Reusable once the latest fact is applied.
  void retire(Retired::Kind kind, std::uint32_t index, RelayPort port = {}) {
    retired_.push_back({last_, kind, index, port});
  }

  template <typename Applied, typename Reuse>  // applied(seq, const PendingFact&), reuse(const Retired&)
  void confirm(std::uint64_t seq, Applied&& applied, Reuse&& reuse) {
    seq = std::min(seq, last_);
    for (; applied_ < seq; ++applied_) {
      applied(applied_ + 1, pending_.front());
      pending_.pop_front();
    }
    while (!waiting_.empty() && waiting_.front().facts.last <= applied_) waiting_.pop_front();
    while (!retired_.empty() && retired_.front().seq <= applied_) {
      reuse(retired_.front());
      retired_.pop_front();
    }
  }

private:
  std::uint64_t last_;
  std::uint64_t applied_;
  std::deque<PendingFact> pending_;   // facts applied_+1 .. last_
  std::deque<WaitingReply> waiting_;  // in the order of their facts
  std::deque<Retired> retired_;       // in the order of seq
};

}  // namespace turnpike::turn
