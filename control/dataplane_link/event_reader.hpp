// SPDX-License-Identifier: BSD-3-Clause
// The event rings: every message is checked before anybody acts on it.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "common/shm/region.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/refusal_reason.hpp"

namespace turnpike::control {

class EventHandler {
public:
  virtual ~EventHandler() = default;
  virtual void on_request(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
                          Bytes message) = 0;
  virtual void on_dtls(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
                       Bytes datagram) = 0;
  virtual void on_refused(WorkerIndex worker, std::uint64_t seq, turn::RefusalReason reason) = 0;
  virtual void on_applied(WorkerIndex worker, std::uint64_t seq) = 0;
  virtual void on_port_changed() = 0;
  // A finished message for a client that control serves.
  virtual void on_to_client(const turn::SlotId& allocation, Bytes message) = 0;
};

class EventReader {
public:
  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t refusals = 0;
    std::uint64_t invalid = 0;  // impossible kind, size or content, skipped
    std::uint64_t corrupt = 0;  // ring indices or lengths impossible, ring emptied
  };

  // `listeners`: the only endpoints that a request may have been sent to.
  EventReader(const shm::Region& region, std::vector<wire::ServerEndpoint> listeners,
              std::uint16_t port_count);

  // The region has become another one, of the same capacity: its rings are read from where they stand.
  void connect();

  // Hands on at most `budget` messages of one ring. Returns how many. The last ring is the main lcore's.
  std::size_t poll(WorkerIndex ring, std::size_t budget, EventHandler& handler);
  bool pending(WorkerIndex ring) const { return !rings_[ring].consumer.empty(); }
  bool listens_at(const wire::Endpoint& endpoint) const { return listeners_.contains(endpoint); }
  std::size_t count() const { return rings_.size(); }
  std::uint32_t used(WorkerIndex ring) const;

  const Counters& counters() const { return counters_; }

private:
  struct Ring {
    shm::Consumer consumer;
    // applied_seq as loaded before the events that are still to be read: a refusal is published before its
    // sequence number counts as applied, so the number is passed on only when all events of that moment have
    // been read.
    std::uint64_t applied = 0;
    std::uint64_t passed_on = 0;
    std::uint32_t events_before = 0;
    bool applied_pending = false;
  };

  void note_applied(Ring& ring, WorkerIndex worker);
  void pass_on_applied(Ring& ring, WorkerIndex worker, bool empty, EventHandler& handler);
  bool dispatch(WorkerIndex ring, EventHandler& handler);
  bool dispatch_refusal(WorkerIndex worker, EventHandler& handler);
  bool dispatch_request(WorkerIndex worker, EventHandler& handler);
  bool dispatch_to_client(WorkerIndex worker, EventHandler& handler);

  const shm::Region& region_;
  std::vector<Ring> rings_;
  std::unordered_set<wire::Endpoint> listeners_;
  std::uint16_t port_count_;
  std::unique_ptr<shm::Message> message_;
  Counters counters_;
};

}  // namespace turnpike::control
