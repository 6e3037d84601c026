// SPDX-License-Identifier: BSD-3-Clause
// One worker's part of the ledger (common/shm/ledger.hpp): the last fact said about every slot, and what the
// next control needs besides. It is also what facts are repeated from when a route changes.
//
// We wrote what is read here, but the dataplane maps it too: sizes and indices are checked, contents are
// nobody's word.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/types.hpp"
#include "common/shm/ledger_journal.hpp"

namespace turnpike::control {

class Ledger {
public:
  explicit Ledger(const shm::LedgerView& view) : view_(view) {}

  // What the last writer did not finish. False: the journal was damaged.
  bool recover();
  // Everything that stands in `from`, a ledger of the same size that nobody writes any more.
  void copy_from(const Ledger& from);

  // Slots below were used at some time; of those above nothing is known.
  std::uint32_t allocations() const { return touched(view_.worker->touched_allocations, view_.allocations); }
  std::uint32_t permissions() const { return touched(view_.worker->touched_permissions, view_.permissions); }
  std::uint32_t channels() const { return touched(view_.worker->touched_channels, view_.channels); }

  // `index` is below the capacity.
  const shm::LedgerAllocation& allocation(std::uint32_t index) const { return view_.allocations[index]; }
  const shm::LedgerPermission& permission(std::uint32_t index) const { return view_.permissions[index]; }
  const shm::LedgerChannel& channel(std::uint32_t index) const { return view_.channels[index]; }
  // Empty: it has none, or none that can be.
  Bytes note(std::uint32_t index) const;

  // A permission or channel goes with its allocation without being removed by itself.
  bool is_live(const shm::LedgerAllocation& record) const {
    return record.phase == shm::RecordPhase::kLive && record.fact.allocation.generation != 0;
  }
  template <typename Record>
  bool is_live(const Record& record) const {
    return record.phase == shm::RecordPhase::kLive && has_live_owner(record.fact.allocation);
  }

  // The record as a whole, so that a kill leaves the old or the new one.
  void put(std::uint32_t index, const shm::LedgerAllocation& record);
  void put(std::uint32_t index, const shm::LedgerPermission& record);
  void put(std::uint32_t index, const shm::LedgerChannel& record);
  // Into a record that is to be put at `index` next, which is not live yet.
  void set_note(std::uint32_t index, shm::LedgerAllocation& record, Bytes note);
  void put(const shm::LedgerNonceKeys& keys);
  const shm::LedgerNonceKeys& nonce_keys() const { return view_.worker->nonce_keys; }

  // visit(next hop index) for every live fact.
  template <typename Visit>
  void for_each_next_hop(Visit&& visit) const {
    for (std::uint32_t i = 0; i < allocations(); ++i) {
      if (is_live(allocation(i))) visit(allocation(i).fact.client_next_hop);
    }
    for (std::uint32_t i = 0; i < permissions(); ++i) {
      if (is_live(permission(i))) visit(permission(i).fact.next_hop);
    }
    for (std::uint32_t i = 0; i < channels(); ++i) {
      if (is_live(channel(i))) visit(channel(i).fact.next_hop);
    }
  }

private:
  template <typename Record>
  static std::uint32_t touched(const std::atomic<std::uint32_t>& mark, std::span<Record> table) {
    return std::min(mark.load(std::memory_order_relaxed), static_cast<std::uint32_t>(table.size()));
  }
  bool has_live_owner(const shm::Slot& allocation) const;
  MutableBytes place_of(shm::LedgerTable table, std::uint32_t index) const;
  template <typename Record>
  void put(shm::LedgerTable table, std::uint32_t index, const Record& record, std::span<Record> places,
           std::atomic<std::uint32_t>& mark);

  shm::LedgerView view_;
};

}  // namespace turnpike::control
