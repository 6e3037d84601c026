// SPDX-License-Identifier: BSD-3-Clause
// All allocations with their permissions and channels, and the facts that follow from every change of them.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "common/turn/commons.hpp"
#include "common/turn/config.hpp"
#include "common/turn/fact_log.hpp"
#include "common/turn/flat_index.hpp"
#include "common/turn/former.hpp"
#include "common/turn/own_addresses.hpp"
#include "common/turn/server_counters.hpp"
#include "common/turn/session_observer.hpp"
#include "common/turn/shared_port_pool.hpp"
#include "common/turn/slot_pool.hpp"

namespace turnpike::turn {

// One call into the server: its time, and where its effects go.
struct Step {
  Time now;
  Effects& effects;
};

struct NewAllocation {
  FiveTuple five_tuple;
  WorkerIndex worker = 0;
  UserTable::User* user = nullptr;  // has joined the commons for it
  stun::TransactionId transaction{};
  std::optional<RelayPort>
      ports[2];  // IPv4, IPv6; taken from the pool, and owned by the allocation from here on
  Time deadline{};
  AddressFailure failure;
  std::optional<stun::ReservationToken> reservation;
  PortWish wish = PortWish::kAny;
  bool keeps_port = false;    // it comes by a reservation
  std::uint64_t max_bps = 0;  // as the commons gave it; 0: no limit
};

// Who gets a peer's datagram, and as what; or why nobody does.
struct Receiver {
  enum class Miss : std::uint8_t { kNone, kNoRelay, kNoPermission, kAmbiguous };
  const Allocation* allocation = nullptr;
  const Channel* channel = nullptr;  // nullptr: a Data indication
  Miss miss = Miss::kNone;
};

// One that is not taken over. An allocation's ports stay away from others until its worker has let go.
struct FormerSlot {
  ObjectKind kind;
  SlotId id;
  std::array<RelayPort, 2> ports{};
  std::array<bool, 2> has_port{};
};

class Sessions {
public:
  Sessions(const Config& config, RandomSource& random, ServerCounters& counters, const OwnAddresses& own,
           Commons& commons, SessionObserver& observer);

  PortPool& ports() { return ports_; }
  const PortPool& ports() const { return ports_; }
  FactLog& log(WorkerIndex worker) { return workers_[worker].log; }
  std::size_t count() const { return by_client_.size(); }

  // Allocations. find() removes what has run out on its way; pointers are good until the next removal.
  Allocation* find(const FiveTuple& client, Step& step);
  Allocation* find(SlotId id);
  bool has_room(WorkerIndex worker) const { return workers_[worker].allocations.available() > 0; }
  Allocation& create(const NewAllocation& spec, Step& step);  // has_room() was true
  // `max_bps`: its limit from here on; the commons have taken it in exchange for the old one.
  void refresh(Allocation& allocation, std::span<const Family> families, Time deadline, std::uint64_t max_bps,
               Step& step);
  void remove_family(Allocation& allocation, Family family,
                     Effects& effects);  // the last one: removes it all, as deleted
  void remove(Allocation& allocation, Effects& effects, EndReason reason);
  // Relay ports, the shared ones when peers are multiplexed.
  std::optional<RelayPort> take_port(Family family, WorkerIndex worker, PortWish wish, Time now);
  // The worker could not have these: other ones instead, told to it as a new allocation. A leg without a port
  // in `spec` goes.
  void change_ports(Allocation& allocation, const NewAllocation& spec, Step& step);
  // Ports that came back by the commons.
  void take_back_ports(Time now);
  // Keeps shared ports that the worker could not have from being picked at once; others rest when they are
  // given up.
  void rest_shared_ports(const Allocation& allocation, Time now);

  // Permissions and channels. The peer is in its inside form, of a family that the allocation has.
  Permission* find_permission(const Allocation& allocation, const IpAddress& peer, Time now);
  Channel* find_channel(const Allocation& allocation, std::uint16_t number, Time now);
  Channel* find_channel(const Allocation& allocation, const PeerEndpoint& peer, Time now);
  // Whether another allocation on the same shared relay port has a live channel to the peer. Removes what has
  // run out on its way.
  bool is_peer_taken(const Allocation& allocation, const PeerEndpoint& peer, Step& step);
  Receiver find_receiver(const RelayEndpoint& relay, const PeerEndpoint& peer, Time now);
  bool has_room_for_permissions(const Allocation& allocation, std::size_t more);
  bool has_room_for_channel(const Allocation& allocation);
  // Makes or refreshes, and restates the peer's channels; there was room.
  void permit(Allocation& allocation, const IpAddress& peer, Time deadline, Step& step);
  void bind(Allocation& allocation, std::uint16_t number, const PeerEndpoint& peer, Step& step);
  // Removes what has run out, so that its slots, numbers and addresses are free for this request.
  void expire_peers(Allocation& allocation, Step& step);

  // Takes the facts of a request back, last first.
  void undo(WorkerIndex worker, const FactSpan& facts, Step& step);
  // A restated object that the worker refused: the worker's state is unknown, so it goes.
  void give_up(WorkerIndex worker, const PendingFact& fact, Step& step);
  void confirm(WorkerIndex worker, std::uint64_t seq, Time now);

  // Taking over from a former server: see Server::take_over, to which all of this belongs.
  bool take_over(const FormerAllocation& former, Time now);
  bool take_over(const FormerPermission& former, Time now);
  bool take_over(const FormerChannel& former, Time now);
  void take_over_port(const RelayEndpoint& relay);
  void take_over_rest(Time now);
  void begin_restating(WorkerIndex worker);
  bool restate(WorkerIndex worker, std::size_t budget, Effects& effects);
  bool is_unsaid(const SlotId& allocation) const;

  Time next_timeout() const { return wheel_.next(); }
  void expire(Step& step);

  void for_each(const std::function<void(const Allocation&)>& visit) const;
  void for_each_permission(const Allocation& allocation,
                           const std::function<void(const Permission&)>& visit) const;
  void for_each_channel(const Allocation& allocation, const std::function<void(const Channel&)>& visit) const;

  TimerNode& timer_node(TimerRef ref);  // for the wheel

private:
  struct Worker {
    explicit Worker(const Config& config)
        : allocations(config.max_allocations),
          permissions(config.max_permissions),
          channels(config.max_channels),
          log(config.facts_before) {}
    SlotPool<Allocation> allocations;
    SlotPool<Permission> permissions;
    SlotPool<Channel> channels;
    FactLog log;
    std::vector<FormerSlot> former;  // the worker is to be told that they are gone
    bool restating = false;
    std::uint32_t restated = 0;  // while it is so: the allocations below have been said
  };

  static TimerRef timer(ObjectKind kind, WorkerIndex worker, std::uint32_t index) {
    return static_cast<TimerRef>(kind) << 48 | static_cast<TimerRef>(worker) << 32 | index;
  }
  static constexpr FlatIndex::Ref reference(WorkerIndex worker, std::uint32_t index) {
    return static_cast<FlatIndex::Ref>(worker) << 32 | index;
  }
  static constexpr WorkerIndex worker_of(FlatIndex::Ref ref) { return static_cast<WorkerIndex>(ref >> 32); }
  static constexpr std::uint32_t index_of(FlatIndex::Ref ref) { return static_cast<std::uint32_t>(ref); }
  Worker& worker(const Allocation& allocation) { return workers_[allocation.id.worker]; }
  std::uint64_t relay_hash(const RelayEndpoint& relay) const { return wire::hash_value(relay, seed_); }
  std::uint64_t peer_hash(const RelayEndpoint& relay, const Endpoint& peer) const {
    return wire::hash_value(peer, relay_hash(relay));
  }

  void set_leg(Allocation& allocation, Family family, RelayPort port, Time deadline);
  bool expire_legs(Allocation& allocation, Step& step);  // true: the allocation is gone
  void set_timer(const Allocation& allocation);
  void release_port(RelayPort port, Time now);
  void retire_leg(Allocation& allocation, const RelayLeg& leg);
  SessionRecord record_of(const Allocation& allocation) const;
  void report_begin(WorkerIndex worker, std::uint64_t seq, const PendingFact& fact);
  void report_end(Allocation& allocation, EndReason reason);
  void remove_permission(Allocation& allocation, std::uint32_t index, Effects& effects);
  void remove_channel(Allocation& allocation, std::uint32_t index, Effects& effects);
  void detach_permission(Allocation& allocation, std::uint32_t index);
  void detach_channel(Allocation& allocation, std::uint32_t index);
  // What a shared relay port needs to know of its allocations' peers; nothing in the other mode.
  void share(const Allocation& allocation, const Channel& channel, std::uint32_t index);
  void unshare(const Allocation& allocation, const Channel& channel, std::uint32_t index);
  void share(const Allocation& allocation, Permission& permission, std::uint32_t index);
  void unshare(const Allocation& allocation, const Permission& permission, std::uint32_t index);
  FlatIndex::Ref find_shared_channel(const RelayEndpoint& relay, const PeerEndpoint& peer) const;
  FlatIndex::Ref find_shared_permission(const RelayEndpoint& relay, const IpAddress& peer) const;
  Receiver find_own_receiver(const RelayEndpoint& relay, const PeerEndpoint& peer, Time now);
  Receiver find_shared_receiver(const RelayEndpoint& relay, const PeerEndpoint& peer, Time now);
  Receiver::Miss miss_at(const RelayEndpoint& relay) const;
  void expire_one(TimerRef ref, Step& step);
  void undo_one(WorkerIndex worker, const PendingFact& fact, Step& step);
  void undo_allocation(Allocation& allocation, const PendingFact& fact, Step& step);
  void undo_permission(std::uint32_t index, const PendingFact& fact, Worker& worker, Step& step);
  void undo_channel(std::uint32_t index, const PendingFact& fact, Worker& worker, Step& step);

  std::optional<RelayPort> port_of(const RelayEndpoint& relay) const;
  bool adopt_legs(Allocation& allocation, const FormerAllocation& former, Time now);
  void drop_legs(Allocation& allocation);
  void keep_away(const FormerAllocation& former);
  void restate_gone(Worker& owner, const FormerSlot& gone, Effects& effects);
  void restate_one(Allocation& allocation, Effects& effects);
  std::uint64_t install(Allocation& allocation, PendingFact fact, Effects& effects);
  void install_permission(Allocation& allocation, std::uint32_t index, PendingFact fact, Effects& effects);
  void install_channel(Allocation& allocation, std::uint32_t index, PendingFact fact, Effects& effects);
  std::uint32_t touch_permission(Allocation& allocation, const IpAddress& peer, Time deadline,
                                 Effects& effects);
  void restate_channels(Allocation& allocation, const IpAddress& peer, Effects& effects,
                        std::uint32_t except = kNoIndex);

  const Config& config_;
  ServerCounters& counters_;
  const OwnAddresses& own_;
  Commons& commons_;
  SessionObserver& observer_;
  std::uint64_t seed_;
  PortPool ports_;
  SharedPortPool shared_ports_;
  std::deque<Worker> workers_;  // never moved
  FlatIndex by_client_;
  FlatIndex by_relay_;            // while every relayed address has one allocation
  FlatIndex shared_channels_;     // by relayed address and peer, while they have several
  FlatIndex shared_permissions_;  // by relayed address and the peer's address: the first of the sharers
  TimerWheel<Sessions> wheel_;
  std::vector<std::uint8_t> note_;  // scratch
};

}  // namespace turnpike::turn
