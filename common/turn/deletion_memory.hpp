// SPDX-License-Identifier: BSD-3-Clause
// Refresh requests with lifetime 0 that succeeded lately: a repetition gets the same success instead of 437,
// and cannot hit an allocation that the client has made since.
#pragma once

#include <cstring>
#include <deque>

#include "common/stun/types.hpp"
#include "common/turn/five_tuple_hash.hpp"
#include "common/turn/flat_index.hpp"

namespace turnpike::turn {

class DeletionMemory {
public:
  static constexpr Time kMemory = seconds(40);  // a client repeats for 39.5 s (RFC 8489 section 6.2.1)

  struct Deletion {
    FiveTuple client;
    stun::TransactionId transaction{};
    WorkerIndex worker = 0;
    std::uint64_t fact = 0;  // the last fact of the deletion
    Time until{};
  };

  DeletionMemory(std::uint64_t seed, std::uint32_t capacity) : seed_(seed), capacity_(capacity) {}

  const Deletion* find(const FiveTuple& client, stun::TransactionIdView transaction, Time now) const {
    const auto ref = index_.find(hash(client, transaction), [&](FlatIndex::Ref candidate) {
      return at(candidate).until > now && matches(at(candidate), client, transaction);
    });
    return ref == FlatIndex::kNone ? nullptr : &at(ref);
  }

  // When it is full the oldest are forgotten early: their repetitions get 437, which clients take for success
  // too.
  void remember(const Deletion& deletion, Time now) {
    while (!deletions_.empty() && (deletions_.front().until <= now || deletions_.size() >= capacity_)) {
      index_.erase(hash(deletions_.front().client, deletions_.front().transaction), first_);
      deletions_.pop_front();
      ++first_;
    }
    if (capacity_ == 0) return;
    index_.insert(hash(deletion.client, deletion.transaction), first_ + deletions_.size());
    deletions_.push_back(deletion);
  }

private:
  std::uint64_t hash(const FiveTuple& client, stun::TransactionIdView transaction) const {
    std::uint64_t words[2] = {};
    std::memcpy(words, transaction.data(), transaction.size());
    return wire::mix(wire::mix(hash_value(client, seed_) ^ words[0]) + words[1]);
  }
  static bool matches(const Deletion& deletion, const FiveTuple& client,
                      stun::TransactionIdView transaction) {
    return deletion.client == client &&
           std::memcmp(deletion.transaction.data(), transaction.data(), transaction.size()) == 0;
  }
  const Deletion& at(FlatIndex::Ref ref) const { return deletions_[ref - first_]; }

  std::uint64_t seed_;
  std::uint32_t capacity_;
  std::uint64_t first_ = 0;  // number of deletions_.front(); the index refers to these numbers
  std::deque<Deletion> deletions_;
  FlatIndex index_;
};

}  // namespace turnpike::turn
