// SPDX-License-Identifier: BSD-3-Clause
// Stands between net_memif and its peer on the control socket, so that the driver never unmaps memory under a
// worker.
//
// net_memif unmaps the rings in EAL's interrupt thread as soon as its control socket closes, while a worker
// may be in the middle of a burst over them (DPDK 22.11: testpmd crashes that way too). Therefore the
// driver's socket is ours: we pass the 128-byte messages and their descriptors on in both directions, and
// when the peer goes, the gate is closed first, and only then the driver is taken down and put up again,
// ready for the next peer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "dataplane/port/burst_gate.hpp"
#include "dataplane/port/ethdev.hpp"
#include "dataplane/reactor.hpp"

namespace turnpike::dataplane {

struct MemifLinkConfig {
  std::string label;        // of the port, for messages
  std::string peer_path;    // what the operator named
  std::string driver_path;  // the socket between the driver and us
  bool server = true;       // the role towards the peer, which is also the driver's
};

// Main lcore only.
class MemifLink {
public:
  // Makes the listening socket; for a client the driver connects to it when it starts.
  static Result<std::unique_ptr<MemifLink>> create(const MemifLinkConfig& config, Ethdev& device,
                                                   BurstGate& gate);
  ~MemifLink();
  MemifLink(const MemifLink&) = delete;
  MemifLink& operator=(const MemifLink&) = delete;

  // After the driver was started. `on_change` hears when the connection begins and ends.
  Status join(Reactor& reactor, std::function<void()> on_change);
  void tick();  // a client looks for its server
  bool up() const { return gate_.is_open(); }

private:
  MemifLink(const MemifLinkConfig& config, Ethdev& device, BurstGate& gate)
      : config_(config), device_(device), gate_(gate) {}
  void accept_one();
  void connect_peer();
  void begin();
  void forward(int from, int to);
  void try_open();
  void take_down();
  void close_connection(int& fd);

  MemifLinkConfig config_;
  Ethdev& device_;
  BurstGate& gate_;
  Reactor* reactor_ = nullptr;
  std::function<void()> on_change_;
  int listener_ = -1;  // the peer's way in for a server, the driver's for a client
  int peer_ = -1;
  int driver_ = -1;
};

}  // namespace turnpike::dataplane
