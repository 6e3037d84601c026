// SPDX-License-Identifier: BSD-3-Clause
// Everything that one thread of control listens on for clients.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "control/listeners/datagram_socket.hpp"
#include "control/listeners/dtls_server.hpp"
#include "control/listeners/stream_listener.hpp"
#include "control/options.hpp"
#include "control/runtime/addresses.hpp"
#include "control/runtime/port_holder.hpp"

namespace turnpike::control {

class Engine;

class Listeners {
public:
  // `held`: sockets on the dataplane's listening endpoints, where the kernel brings DTLS. `first`: those of
  // the first thread, whose session tickets are good here too; null: these are it. What is given by reference
  // must outlive the listeners.
  static Result<std::unique_ptr<Listeners>> open(boost::asio::io_context& io, const ControlOptions& options,
                                                 Engine& engine, Crypto& crypto, Admission& admission,
                                                 std::vector<HeldEndpoint> held, const Listeners* first);
  ~Listeners();

  // The certificate, its rules and files once more. Nothing changes before use().
  struct Certificates {
    std::shared_ptr<TlsContext> streams;  // null: not served, like the next one
    std::shared_ptr<TlsContext> datagrams;
  };
  Result<Certificates> load(const ListenerOptions& options) const;
  // For those who connect from now on.
  Status use(const Certificates& certificates);

  void tick(Time now);  // about once a second
  const ClientCounters& counters() const { return streams_.counters(); }
  std::size_t connections() const { return streams_.size(); }
  std::size_t dtls_sessions() const { return dtls_.size(); }

private:
  class WorkerRoad;

  Listeners(boost::asio::io_context& io, Engine& engine, Crypto& crypto, Admission& admission);
  Status open_streams(const ControlOptions& options, const Listeners* first);
  Status open_dtls(const ControlOptions& options, const Listeners* first, std::vector<HeldEndpoint> held);
  Status listen(const wire::Endpoint& endpoint, bool behind_proxy, const char* option);
  void read_dtls(UniqueFd socket, const wire::Endpoint& endpoint);
  // While somebody shakes hands, his lost datagrams are repeated soon.
  void schedule_handshakes();

  boost::asio::io_context& io_;
  Engine& engine_;
  const PortUse port_use_;
  StreamSet streams_;
  // Its sessions say goodbye on the roads before it, which must outlive it.
  std::unique_ptr<WorkerRoad> worker_road_;
  std::vector<std::unique_ptr<DatagramSocket>> sockets_;
  DtlsServer dtls_;
  std::vector<HeldEndpoint> held_;  // not read
  std::vector<std::unique_ptr<StreamListener>> acceptors_;
  boost::asio::steady_timer handshake_timer_;
  bool handshake_timer_runs_ = false;
};

}  // namespace turnpike::control
