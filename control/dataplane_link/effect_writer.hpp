// SPDX-License-Identifier: BSD-3-Clause
// The server's effects as commands: facts with their next hops, answers with the way back to the client.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "common/shm/region.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/five_tuple_hash.hpp"
#include "control/dataplane_link/command_queues.hpp"
#include "control/dataplane_link/ledger.hpp"
#include "control/listeners/client_table.hpp"
#include "control/relay/next_hops.hpp"

namespace turnpike::control {

// The request that is being answered, when there is one.
struct RequestOrigin {
  turn::FiveTuple from;
  shm::LinkPath path;
};

class EffectWriter {
public:
  struct Counters {
    std::uint64_t replies = 0;
    std::uint64_t replies_without_path = 0;  // nobody knows which way the client is
    std::uint64_t rebound = 0;               // facts repeated because their next hop changed
    std::uint64_t outside_tables = 0;        // slots beyond the region's capacity: a defect
  };

  // `facts_before`: the number before that of each worker's first fact.
  EffectWriter(const shm::Region& region, CommandQueues& queues, NextHops& next_hops, ClientTable& clients,
               std::uint64_t facts_before);
  // Facts of which it is true go into the ledger alone: they will be said again.
  void set_unsaid(std::function<bool(const turn::SlotId& allocation)> unsaid) { unsaid_ = std::move(unsaid); }
  // Another region of the same capacity in place of the former one, whose ledger goes on in it.
  void move_to(const shm::Region& region);
  // What the former control knew of a client's way.
  void take_over(const turn::FiveTuple& client, const shm::LinkPath& path) { paths_[client] = path; }
  Ledger& ledger(WorkerIndex worker) { return book_[worker]; }

  // In order. The effects of one call of the server; `origin` is null when no request caused them.
  void write(const turn::Effects& effects, const RequestOrigin* origin);

  // Tells every worker of new and changed next hops. write() does it by itself.
  void write_next_hops();
  // After routes changed: begins to look at every live fact again. rebind_some() looks at a bounded number
  // and repeats those that would leave another way now; true while more are left.
  void begin_rebind() { rebind_at_ = RebindPosition{}; }
  bool rebind_some(std::size_t budget);
  bool rebinding() const { return rebind_at_.worker < queues_.workers().size(); }

  std::uint64_t last_seq(WorkerIndex worker) const { return last_seq_[worker]; }
  const Counters& counters() const { return counters_; }

private:
  // Not noexcept: the standard library then keeps the hash with each node, and a chain is walked without
  // hashing every neighbour again.
  struct TupleHash {
    std::size_t operator()(const turn::FiveTuple& tuple) const { return turn::hash_value(tuple, 0); }
  };

  void install(const turn::InstallAllocation& effect, Bytes note, const RequestOrigin* origin);
  void install(const turn::InstallPermission& effect);
  void install(const turn::InstallChannel& effect);
  void remove(const turn::RemoveAllocation& effect);
  void remove(const turn::RemovePermission& effect);
  void remove(const turn::RemoveChannel& effect);
  void mark(const turn::Mark& effect);
  void reply(const turn::SendReply& effect, Bytes message, const RequestOrigin* origin);
  void relay(const turn::RelayToPeer& effect, Bytes data);

  template <typename Fact>
  void push_fact(const turn::SlotId& allocation, shm::Command kind, std::uint64_t seq, const Fact& fact);
  void push_remove(shm::Command kind, std::uint64_t seq, const turn::SlotId& removed,
                   const turn::SlotId& allocation);
  std::uint16_t next_hop_to(const wire::IpAddress& peer, const wire::Endpoint& relay);
  bool in_tables(const turn::SlotId& slot, std::uint32_t capacity);
  void mark_used_next_hops(std::vector<bool>& used);

  enum class RebindTable : std::uint8_t { kAllocations, kPermissions, kChannels };
  struct RebindPosition {
    std::size_t worker = 0;  // of those that we have
    RebindTable table = RebindTable::kAllocations;
    std::uint32_t index = 0;
  };
  bool rebind_at(std::uint32_t index);  // false: beyond the end of the table
  void rebind(std::uint32_t index, shm::LedgerAllocation record);
  void rebind(std::uint32_t index, shm::LedgerPermission record);
  void rebind(std::uint32_t index, shm::LedgerChannel record);
  template <typename Record>
  void repeat(shm::Command kind, std::uint32_t index, Record& record, std::uint16_t& next_hop,
              std::uint16_t now);

  shm::Capacity capacity_;
  CommandQueues& queues_;
  NextHops& next_hops_;
  ClientTable& clients_;
  std::vector<Ledger> book_;  // by worker; only our own are touched
  std::function<bool(const turn::SlotId&)> unsaid_;
  std::vector<std::uint64_t> last_seq_;
  // The way to each client with an allocation, for answers that a later event causes.
  std::unordered_map<turn::FiveTuple, shm::LinkPath, TupleHash> paths_;
  std::vector<turn::FiveTuple>
      gone_;  // clients whose allocation ended in this call: answers may still follow
  RebindPosition rebind_at_;
  Counters counters_;
};

}  // namespace turnpike::control
