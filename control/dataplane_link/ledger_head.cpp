// SPDX-License-Identifier: BSD-3-Clause
// Taking a region's ledger over, or beginning a new one.
#include "control/dataplane_link/ledger_head.hpp"

#include <algorithm>

#include "common/shm/ledger_journal.hpp"

namespace turnpike::control {
namespace {

using shm::RecordPhase;

void begin_anew(const shm::Region& region) {
  shm::LedgerHeader& header = region.ledger();
  header.journal.armed.store(0, std::memory_order_relaxed);
  header.addresses.fill({});
  header.drain = {};
  for (std::uint32_t worker = 0; worker < region.capacity().workers; ++worker) {
    shm::LedgerWorker& part = *region.ledger(static_cast<WorkerIndex>(worker)).worker;
    part.journal.armed.store(0, std::memory_order_relaxed);
    for (auto* touched : {&part.touched_allocations, &part.touched_permissions, &part.touched_channels}) {
      touched->store(0, std::memory_order_relaxed);
    }
    part.nonce_keys = {};
  }
}

}  // namespace

LedgerHead::LedgerHead(const shm::Region& region) : header_(&region.ledger()) {
  epoch_ = header_->epoch.load(std::memory_order_relaxed) + 1;
  header_->epoch.store(epoch_, std::memory_order_relaxed);
  takes_over_ = header_->ready.load(std::memory_order_acquire) == shm::kLedgerMagic;  // L2
  if (takes_over_) {
    takes_over_ = shm::recover<shm::PlainStores>(
        header_->journal,
        [this](shm::LedgerTable table, std::uint32_t index) { return place_of(table, index); });
  }
  if (takes_over_) return;
  header_->ready.store(0, std::memory_order_release);
  begin_anew(region);
}

MutableBytes LedgerHead::place_of(shm::LedgerTable table, std::uint32_t index) const {
  const auto bytes_of = [](auto& record) {
    return MutableBytes(reinterpret_cast<std::uint8_t*>(&record), sizeof record);
  };
  if (table == shm::LedgerTable::kDrain) return bytes_of(header_->drain);
  if (table != shm::LedgerTable::kAddresses || index >= header_->addresses.size()) return {};
  return bytes_of(header_->addresses[index]);
}

Result<std::vector<shm::LocalAddress>> LedgerHead::place(const std::vector<shm::LocalAddress>& addresses) {
  std::vector<shm::LocalAddress> facts;
  std::vector<bool> taken(header_->addresses.size(), false);
  std::vector<const shm::LocalAddress*> fresh;
  const auto say = [&](std::uint16_t index, shm::LocalAddress fact) {
    fact.index = index;
    taken[index] = true;
    put(index, {RecordPhase::kLive, 0, fact});
    facts.push_back(fact);
  };
  for (const shm::LocalAddress& address : addresses) {
    const auto known =
        std::find_if(header_->addresses.begin(), header_->addresses.end(), [&](const auto& record) {
          return record.phase == RecordPhase::kLive && record.fact.address == address.address;
        });
    if (known == header_->addresses.end()) {
      fresh.push_back(&address);
    } else {
      say(static_cast<std::uint16_t>(known - header_->addresses.begin()), address);
    }
  }
  for (std::uint16_t i = 0; i < taken.size(); ++i) {
    if (taken[i] || header_->addresses[i].phase != RecordPhase::kLive) continue;
    shm::LocalAddress gone;
    gone.index = i;
    put(i, {RecordPhase::kRemoved, 0, gone});
    facts.push_back(gone);
  }
  // Flows may still name the index of an address that is gone: those that nothing ever had come first.
  for (const RecordPhase phase : {RecordPhase::kUnused, RecordPhase::kRemoved}) {
    for (std::uint16_t i = 0; i < taken.size() && !fresh.empty(); ++i) {
      if (taken[i] || header_->addresses[i].phase != phase) continue;
      say(i, *fresh.front());
      fresh.erase(fresh.begin());
    }
  }
  if (fresh.empty()) return facts;
  return Error{"listening-ip, relay-ip: more than " + std::to_string(shm::kMaxLocalAddresses) +
               " addresses; give fewer"};
}

void LedgerHead::put(std::uint32_t index, const shm::LedgerAddress& record) {
  shm::replace<shm::PlainStores>(header_->journal, shm::LedgerTable::kAddresses, index,
                                 header_->addresses[index], record);
}

std::optional<shm::LedgerDrain> LedgerHead::drain() const {
  const shm::LedgerDrain& record = header_->drain;
  return record.phase == RecordPhase::kLive ? std::optional(record) : std::nullopt;
}

void LedgerHead::put_drain(const shm::LedgerDrain& record) {
  shm::replace<shm::PlainStores>(header_->journal, shm::LedgerTable::kDrain, 0, header_->drain, record);
}

void LedgerHead::set_ready() { header_->ready.store(shm::kLedgerMagic, std::memory_order_release); }  // L1

void LedgerHead::move_to(const shm::Region& region) {
  shm::LedgerHeader& to = region.ledger();
  to.addresses = header_->addresses;
  to.drain = header_->drain;
  to.epoch.store(epoch_, std::memory_order_relaxed);
  header_ = &to;
}

}  // namespace turnpike::control
