// SPDX-License-Identifier: BSD-3-Clause
// The part of the ledger that belongs to no worker: whether it can be gone on with, who writes it, by which
// index the dataplane knows our addresses, and whether the relay is being drained. On the first thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.hpp"
#include "common/shm/region.hpp"

namespace turnpike::control {

class LedgerHead {
public:
  // A new control takes the region: the epoch is its own. When the ledger tells everything, it goes on with
  // it; else the ledger is emptied.
  explicit LedgerHead(const shm::Region& region);

  bool takes_over() const { return takes_over_; }
  std::uint64_t facts_before() const { return shm::first_fact_of(epoch_); }

  // The addresses by the index that they have, new ones by indices that nothing refers to; and those that are
  // no longer served, as facts that remove them. Fails when no index is left.
  Result<std::vector<shm::LocalAddress>> place(const std::vector<shm::LocalAddress>& addresses);

  // The drain that the next control goes on with; nothing: there is none.
  std::optional<shm::LedgerDrain> drain() const;
  void put_drain(const shm::LedgerDrain& record);

  // Everything that the dataplane knows stands in the ledger now.
  void set_ready();
  // Another region in place of the former one, whose workers' parts have been copied.
  void move_to(const shm::Region& region);

private:
  MutableBytes place_of(shm::LedgerTable table, std::uint32_t index) const;
  void put(std::uint32_t index, const shm::LedgerAddress& record);

  shm::LedgerHeader* header_;
  std::uint32_t epoch_ = 0;
  bool takes_over_ = false;
};

}  // namespace turnpike::control
