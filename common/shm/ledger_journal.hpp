// SPDX-License-Identifier: BSD-3-Clause
// How a record of the ledger is replaced so that a kill at any instruction leaves the old one or the new one.
//
//   1. the journal gets table, index and the new record      killed here: not armed, the old one stands
//   2. armed = 1                                              from here on the new one counts
//   3. the record is copied to its place                      killed here: recover() copies it again
//   4. armed = 0
//
// Only the order of one thread's stores matters, and only to a reader that begins after the writer's death:
// what a CPU has executed is then visible to everybody. So fences for the compiler are enough.
#pragma once

#include <atomic>
#include <cstring>

#include "common/base/types.hpp"
#include "common/shm/ledger.hpp"

namespace turnpike::shm {

// How the stores are made; a test makes them one by one and stops in between.
struct PlainStores {
  static void copy(void* to, const void* from, std::size_t size) noexcept { std::memcpy(to, from, size); }
  static void set(std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    word.store(value, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
};

template <typename Stores, typename Record>
void replace(LedgerJournal& journal, LedgerTable table, std::uint32_t index, Record& place,
             const Record& record) {
  static_assert(sizeof(Record) <= sizeof(LedgerJournal::record) && Body<Record>);
  Stores::copy(&journal.table, &table, sizeof table);
  Stores::copy(&journal.index, &index, sizeof index);
  Stores::copy(journal.record.data(), &record, sizeof record);
  Stores::set(journal.armed, 1);
  Stores::copy(&place, &record, sizeof record);
  Stores::set(journal.armed, 0);
}

// `place_of(table, index)`: the record's bytes, empty for what no table has. May itself be killed and begun
// again. False: the journal named no record, which is nonsense.
template <typename Stores, typename PlaceOf>
bool recover(LedgerJournal& journal, PlaceOf&& place_of) {
  if (journal.armed.load(std::memory_order_acquire) == 0) return true;
  const MutableBytes place = place_of(journal.table, journal.index);
  const bool known = !place.empty() && place.size() <= journal.record.size();
  if (known) Stores::copy(place.data(), journal.record.data(), place.size());
  Stores::set(journal.armed, 0);
  return known;
}

}  // namespace turnpike::shm
