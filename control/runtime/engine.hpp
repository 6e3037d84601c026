// SPDX-License-Identifier: BSD-3-Clause
// The relay's decisions without an event loop, for the workers of one thread: requests from their rings into
// the server, its effects back into the rings, network changes into next hops. The caller supplies the time
// and decides when to look.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/turn/commons.hpp"
#include "common/turn/server.hpp"
#include "control/auth/parked_requests.hpp"
#include "control/auth/user_directory.hpp"
#include "control/dataplane_link/attachment.hpp"
#include "control/dataplane_link/command_queues.hpp"
#include "control/dataplane_link/effect_writer.hpp"
#include "control/dataplane_link/event_reader.hpp"
#include "control/listeners/dtls_road.hpp"
#include "control/log/session_log.hpp"
#include "control/netlink/kernel_network.hpp"
#include "control/relay/next_hops.hpp"
#include "control/runtime/addresses.hpp"

namespace turnpike::control {

// As the server is to have it: what the options leave to the region and to the choice of addresses.
turn::Config server_config(const ControlOptions& options, const shm::Capacity& capacity,
                           const ServedAddresses& served, const WorkerShare& share);

class Engine final : public EventHandler, public ClientHandler {
public:
  // What all engines of one relay share, each on its thread.
  struct Relay {
    const ControlOptions& options;
    const Attachment& attachment;
    ServedAddresses served;
    std::vector<shm::LocalAddress> addresses;  // the same, by the index that the dataplane knows
    turn::Commons& commons;
    std::uint64_t facts_before = 0;  // see LedgerHeader::epoch
    bool takes_over = false;         // a former control's ledger; else everything begins anew
  };
  // For the workers of `share`. What is given by reference must outlive the engine.
  Engine(Relay relay, const WorkerShare& share, Crypto& crypto, UserDirectory& users, Network& network);
  Status set_static_next_hops();

  // Our addresses into every ring of ours, after a kReset unless something is taken over. They count once
  // announced() says that all was taken.
  void announce();
  bool announced() const { return queues_.drained() && !restating(); }

  // What the ledger of a former control tells of our workers (engine_takeover.cpp), before announce(). Then
  // take_over_ports() with every other engine's workers, whose allocations may have ports of ours, and last
  // take_over_rest().
  struct TakenOver {
    std::size_t sessions = 0;
    std::size_t lost = 0;  // they could not go on
  };
  TakenOver take_over(Time now);
  void take_over_ports(const WorkerShare& others);
  void take_over_rest(Time now);

  // The dataplane is gone. Requests of clients that control serves go on; nobody else's come.
  void disconnect();
  // The attachment has become another one, of the same capacity: all is said again, from our tables, and what
  // each session had relayed.
  void connect();
  bool restating() const { return !restating_.empty(); }

  // What waits for room in the rings, and nothing else.
  void flush();

  // One bounded look at everything that may have work. True when there was some.
  bool pass(Time now);
  // There is work right now: look before sleeping.
  bool pending() const;
  // When to look again even if nobody wakes us; kNever when nothing is due.
  Time next_wake(Time now);

  // One message of a client, whatever transport it came by; `origin` is the way back on the dataplane's
  // ports.
  void on_client_message(const turn::FiveTuple& from, WorkerIndex worker, const RequestOrigin* origin,
                         Bytes message);
  // The options changed: quotas, and the directory's peer lists.
  void reload(const turn::Quotas& quotas);
  // See Server.
  void set_draining(bool draining) { server_.set_draining(draining); }
  void set_alternate_servers(const std::vector<wire::Endpoint>& servers) {
    server_.set_alternate_servers(servers);
  }
  // Removes every allocation; how many there were.
  std::size_t end_all(turn::EndReason reason);
  // The directory has news from its database: requests that waited for it go on.
  void take_user_news(Time now);
  // The main lcore says that a port is another than before: the first engine alone hears of it.
  void set_port_handler(std::function<void()> handler) { port_handler_ = std::move(handler); }
  // Looks at the ports again. True: something has changed.
  bool refresh_ports();
  void on_network_changed(const KernelNetwork::Changes& changes);
  void tick(Time now);  // about once a second

  ClientTable& clients() { return clients_; }
  const ClientTable& clients() const { return clients_; }
  std::uint64_t late_messages() const { return late_messages_; }
  void on_client_message(const turn::FiveTuple& from, Bytes message, Time now) override;
  void on_client_gone(const turn::FiveTuple& client, Time now) override;

  // DTLS through the sockets of workers: what arrives goes to `handler`, and answers go back by
  // send_datagram().
  using DtlsHandler = std::function<void(const DtlsPath& path, Bytes datagram, Time now)>;
  void set_dtls_handler(DtlsHandler handler) { dtls_handler_ = std::move(handler); }
  void send_datagram(const DtlsPath& path, Bytes datagram);

  const WorkerShare& share() const { return share_; }
  // Of the workers, and of the main lcore for the first engine.
  const std::vector<WorkerIndex>& rings() const { return queues_.rings(); }
  const turn::Server& server() const { return server_; }
  const ParkedRequests& parked() const { return parked_; }
  const ServedAddresses& served() const { return served_; }
  const PortRange& relay_ports() const { return relay_ports_; }
  const std::vector<PortInfo>& ports() const { return ports_; }
  const CommandQueues& queues() const { return queues_; }
  const EventReader& reader() const { return reader_; }
  const EffectWriter& writer() const { return writer_; }
  const NextHops& next_hops() const { return next_hops_; }

private:
  void on_request(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
                  Bytes message) override;
  void on_dtls(WorkerIndex worker, const turn::FiveTuple& from, const shm::LinkPath& path,
               Bytes datagram) override;
  void on_refused(WorkerIndex worker, std::uint64_t seq, turn::RefusalReason reason) override;
  void on_applied(WorkerIndex worker, std::uint64_t seq) override;
  void on_port_changed() override;
  void on_to_client(const turn::SlotId& allocation, Bytes message) override;
  void write_effects(const RequestOrigin* origin);
  bool restate_some();
  void note_traffic();
  void restate_traffic();
  void begin_restating();
  void keep_nonce_keys(Time now);
  bool take_over(Ledger& ledger, WorkerIndex worker, std::uint32_t index, Time now);
  void follow_wall_clock();
  void tell_challenge(Time now);
  bool facts_outstanding() const;
  bool listens_to(WorkerIndex ring) const;

  const ControlOptions& options_;
  const Attachment& attachment_;
  WorkerShare share_;
  ServedAddresses served_;
  PortRange relay_ports_;
  std::vector<PortInfo> ports_;
  NextHops next_hops_;
  CommandQueues queues_;
  ClientTable clients_;
  EffectWriter writer_;
  EventReader reader_;
  UserDirectory& users_;
  SessionLog session_log_;
  turn::Server server_;
  ParkedRequests parked_;
  turn::Effects effects_;
  shm::Challenge challenge_;  // as the workers know it
  seconds clock_ahead_{};     // the wall clock, of ours
  DtlsHandler dtls_handler_;
  std::function<void()> port_handler_;
  const std::vector<shm::LocalAddress> addresses_;
  const bool takes_over_;
  turn::NonceKeys::State nonce_keys_;   // as the ledger has them
  std::vector<WorkerIndex> restating_;  // who has not been told everything
  std::vector<std::vector<shm::Traffic>>
      relayed_;                         // while it is so, by worker and slot: by the former dataplane
  std::vector<turn::FiveTuple> ended_;  // taken over, but their clients' connections are gone
  std::vector<std::uint64_t> applied_;
  std::uint64_t late_messages_ = 0;  // for clients that had gone
  bool backlog_ = false;
  Time now_{};      // of the pass that is going on
  Time poll_at_{};  // next look at applied_seq and full rings
};

}  // namespace turnpike::control
