// SPDX-License-Identifier: BSD-3-Clause
// Rules in the NIC that bring peers' packets to the worker of their relay port's block (design: steering).
// Without them the packets are handed over between workers.
#pragma once

#include <string>
#include <vector>

#include "dataplane/port/peer_rules.hpp"
#include "dataplane/port/xdp_filter.hpp"

namespace turnpike::dataplane {

class PeerSteering {
public:
  PeerSteering(std::uint16_t device, std::uint16_t queues) : device_(device), queues_(queues) {}
  ~PeerSteering() { clear(); }
  PeerSteering(const PeerSteering&) = delete;
  PeerSteering& operator=(const PeerSteering&) = delete;

  // Makes the rules say what `list` says: one for each relay address and mask of ports. Main lcore only. The
  // first rule that the NIC refuses ends it, for good: then none is left. Returns a line for the operator
  // when it has changed what is to be said, else nothing.
  std::string apply(const LocalAddressList& list);

private:
  // Null: refused.
  rte_flow* add(const PeerRule& rule);
  bool add_all(const shm::LocalAddress& address);
  void clear() noexcept;

  std::uint16_t device_;
  std::uint16_t queues_;
  bool refused_ = false;
  std::string reason_;
  std::vector<rte_flow*> rules_;
};

}  // namespace turnpike::dataplane
