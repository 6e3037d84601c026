// SPDX-License-Identifier: BSD-3-Clause
// The order of things.
#include "bench/load/sockets/back_end.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "bench/load/sockets/hold.hpp"
#include "bench/load/sockets/media_run.hpp"
#include "bench/load/sockets/network_namespace.hpp"
#include "bench/load/sockets/report.hpp"

namespace turnpike::load {
namespace {

constexpr std::size_t kSpareDescriptors = 64;

Status run_hold(const Options& options, std::atomic<bool>& stop) {
  std::vector<Session> sessions = make_sessions(options);
  const bool all_open = options.sockets.transport != ClientTransport::kUdp;
  raise_descriptor_limit(
      (all_open ? options.sessions : std::min(options.sessions, options.sockets.open_sockets)) +
      options.sockets.at_once + kSpareDescriptors);
  ClientSockets clients(options, sessions, options.sockets.open_sockets);
  Signalling signalling(clients, options, sessions,
                        {options.sockets.at_once, true, options.sockets.allocate_only});
  auto outcome = hold(options, sessions, signalling, stop);
  if (!outcome) return Error{outcome.error()};
  print_hold(options, *outcome, signalling);
  return Unit{};
}

Status open_peers(const std::vector<Session>& sessions, std::vector<UdpSocket>& peers) {
  for (const Session& session : sessions) {
    auto peer = UdpSocket::open(session.peer);
    if (!peer) return Error{peer.error()};
    peers.push_back(std::move(*peer));
  }
  return Unit{};
}

// Relayed addresses are known now, and media may come.
Status prepare(const Options& options, const std::vector<Session>& sessions, ClientSockets& clients,
               std::vector<UdpSocket>& peers) {
  for (std::uint32_t i = 0; i < sessions.size(); ++i) {
    if (auto connected = peers[i].connect(sessions[i].relay); !connected) return connected;
    for (UdpSocket* socket : {&clients.udp(i), &peers[i]}) {
      if (!socket->is_open()) continue;
      if (auto sized = socket->set_buffers(options.sockets.receive_buffer); !sized) return sized;
      socket->set_gro(options.sockets.gro);
    }
  }
  return Unit{};
}

Status measure(const Options& options, const std::vector<Session>& sessions, ClientSockets& clients,
               std::vector<UdpSocket>& peers, Outcome& outcome, const std::atomic<bool>& stop) {
  if (auto prepared = prepare(options, sessions, clients, peers); !prepared) return prepared;
  const Ends ends{options,
                  sessions,
                  clients,
                  peers,
                  {Messages(options, sessions, kToPeer), Messages(options, sessions, kToClient)}};
  auto receiver = Receiver::make(ends);
  if (!receiver) return Error{receiver.error()};
  outcome = MediaRun(ends, **receiver).run(stop);
  return Unit{};
}

Status run_media(const Options& options, std::atomic<bool>& stop) {
  std::vector<Session> sessions = make_sessions(options);
  std::vector<UdpSocket> peers;
  raise_descriptor_limit(2 * sessions.size() + kSpareDescriptors);
  if (auto opened = in_namespace(options.sockets.peer_netns, [&] { return open_peers(sessions, peers); });
      !opened) {
    return opened;
  }
  ClientSockets clients(options, sessions, std::numeric_limits<std::size_t>::max());
  Signalling signalling(clients, options, sessions, {options.sockets.at_once, false, false});
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome;
  Status done = signalling.set_up(stop);
  const std::chrono::duration<double> setup = std::chrono::steady_clock::now() - start;
  if (done) done = measure(options, sessions, clients, peers, outcome, stop);
  if (done) print_media(options, outcome, signalling, setup.count());
  stop = false;  // a second signal ends this as well
  const Status down = signalling.tear_down(stop);
  if (!done) return done;
  if (!down) return down;
  const bool good = outcome.settled.corrupt == 0 && outcome.settled.duplicate == 0;
  return good ? Status(Unit{}) : Error{"some arrivals were not what was sent: see duplicate and corrupt"};
}

}  // namespace

Status run_sockets(const Options& options, std::atomic<bool>& stop) {
  if (auto pinned = pin(options.sockets, 0); !pinned) return pinned;
  return in_namespace(options.sockets.client_netns, [&] {
    return options.sockets.hold ? run_hold(options, stop) : run_media(options, stop);
  });
}

}  // namespace turnpike::load
