// SPDX-License-Identifier: BSD-3-Clause
// Everyone that this process plays, with their sockets.
#pragma once

#include <optional>

#include "bench/load/signalling.hpp"
#include "bench/load/sockets/ends.hpp"

namespace turnpike::load {

class Scene {
public:
  Scene(const Options& options, const Signalling::Manner& manner);
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  // The sockets of the peers, and of clients who need no allocation.
  Status open();
  // What a client and its peers need when their relayed address is known.
  Status join(std::uint32_t client);
  Status join_all();
  // Takes responses that came among the media, and refreshes.
  void keep_alive();
  // Until all requests under way have their answers, for a while.
  void settle();

  const Options& options() const { return options_; }
  std::vector<Session>& sessions() { return sessions_; }
  ClientSockets& clients() { return *clients_; }
  // Of clients who need allocations.
  bool signals() const { return options_.sockets.role != Role::kPeer && !options_.swap; }
  Signalling& signalling() { return *signalling_; }
  const Ends& ends() const { return *ends_; }

private:
  Status open_peers();
  Status prepare(UdpSocket& socket) const;

  const Options& options_;
  std::vector<Session> sessions_;
  std::vector<UdpSocket> peers_;
  std::vector<Remote> remotes_;
  Mailbox mailbox_;
  std::optional<ClientSockets> clients_;
  std::optional<Signalling> signalling_;
  std::optional<Ends> ends_;
};

}  // namespace turnpike::load
