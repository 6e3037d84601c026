// SPDX-License-Identifier: BSD-3-Clause
// Reading and writing one worker's part of the ledger.
#include "control/dataplane_link/ledger.hpp"

#include <cstring>

namespace turnpike::control {
namespace {

using shm::LedgerTable;

template <typename Record>
MutableBytes record_in(std::span<Record> table, std::uint32_t index) {
  if (index >= table.size()) return {};
  return {reinterpret_cast<std::uint8_t*>(&table[index]), sizeof(Record)};
}

template <typename Record>
void copy_records(std::span<Record> to, std::span<Record> from, std::uint32_t count) {
  std::memcpy(to.data(), from.data(), sizeof(Record) * std::min<std::size_t>(count, to.size()));
}

}  // namespace

bool Ledger::recover() {
  return shm::recover<shm::PlainStores>(
      view_.worker->journal,
      [this](LedgerTable table, std::uint32_t index) { return place_of(table, index); });
}

MutableBytes Ledger::place_of(LedgerTable table, std::uint32_t index) const {
  switch (table) {
    case LedgerTable::kAllocations:
      return record_in(view_.allocations, index);
    case LedgerTable::kPermissions:
      return record_in(view_.permissions, index);
    case LedgerTable::kChannels:
      return record_in(view_.channels, index);
    case LedgerTable::kNonceKeys:
      return record_in(std::span(&view_.worker->nonce_keys, 1), index);
    case LedgerTable::kAddresses:
    case LedgerTable::kDrain:
      break;  // of the whole region
  }
  return {};
}

void Ledger::copy_from(const Ledger& from) {
  copy_records(view_.allocations, from.view_.allocations, from.allocations());
  copy_records(view_.permissions, from.view_.permissions, from.permissions());
  copy_records(view_.channels, from.view_.channels, from.channels());
  copy_records(view_.long_notes, from.view_.long_notes, from.allocations());
  view_.worker->nonce_keys = from.view_.worker->nonce_keys;
  view_.worker->touched_allocations.store(from.allocations(), std::memory_order_relaxed);
  view_.worker->touched_permissions.store(from.permissions(), std::memory_order_relaxed);
  view_.worker->touched_channels.store(from.channels(), std::memory_order_relaxed);
}

Bytes Ledger::note(std::uint32_t index) const {
  const shm::LedgerAllocation& record = view_.allocations[index];
  const std::size_t size = record.note_size;
  if (size <= record.note.size()) return Bytes(record.note).first(size);
  const auto& bytes = view_.long_notes[index].bytes;
  return size <= bytes.size() ? Bytes(bytes).first(size) : Bytes();
}

void Ledger::set_note(std::uint32_t index, shm::LedgerAllocation& record, Bytes note) {
  record.note_size = 0;
  if (note.size() > shm::kLongNote) return;  // longer than any realm and user name together
  record.note_size = static_cast<std::uint16_t>(note.size());
  auto* to = note.size() <= record.note.size() ? record.note.data() : view_.long_notes[index].bytes.data();
  std::copy(note.begin(), note.end(), to);
}

bool Ledger::has_live_owner(const shm::Slot& allocation) const {
  if (allocation.index >= allocations()) return false;
  const shm::LedgerAllocation& owner = view_.allocations[allocation.index];
  return is_live(owner) && owner.fact.allocation.generation == allocation.generation;
}

template <typename Record>
void Ledger::put(LedgerTable table, std::uint32_t index, const Record& record, std::span<Record> places,
                 std::atomic<std::uint32_t>& mark) {
  if (touched(mark, places) <= index) shm::PlainStores::set(mark, index + 1);
  shm::replace<shm::PlainStores>(view_.worker->journal, table, index, places[index], record);
}

void Ledger::put(std::uint32_t index, const shm::LedgerAllocation& record) {
  put(LedgerTable::kAllocations, index, record, view_.allocations, view_.worker->touched_allocations);
}

void Ledger::put(std::uint32_t index, const shm::LedgerPermission& record) {
  put(LedgerTable::kPermissions, index, record, view_.permissions, view_.worker->touched_permissions);
}

void Ledger::put(std::uint32_t index, const shm::LedgerChannel& record) {
  put(LedgerTable::kChannels, index, record, view_.channels, view_.worker->touched_channels);
}

void Ledger::put(const shm::LedgerNonceKeys& keys) {
  shm::replace<shm::PlainStores>(view_.worker->journal, LedgerTable::kNonceKeys, 0, view_.worker->nonce_keys,
                                 keys);
}

}  // namespace turnpike::control
