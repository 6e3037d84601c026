// SPDX-License-Identifier: BSD-3-Clause
// What a NIC is told to bring peers' packets to their workers: eth / ip dst / udp dst -> queue.
#pragma once

#include <rte_flow.h>

#include <array>
#include <cstdint>
#include <vector>

#include "common/shm/commands.hpp"
#include "dataplane/port/port_masks.hpp"

namespace turnpike::dataplane {

struct PeerRule {
  wire::IpAddress address;
  PortMask ports;
  std::uint16_t queue = 0;
};

// One for each mask of each worker's block of this address; none when it relays nothing.
std::vector<PeerRule> peer_rules(const shm::LocalAddress& address, std::uint16_t workers);

// The rule as rte_flow wants it. Its items point into it.
class PeerPattern {
public:
  explicit PeerPattern(const PeerRule& rule);
  PeerPattern(const PeerPattern&) = delete;
  PeerPattern& operator=(const PeerPattern&) = delete;

  const std::array<rte_flow_item, 4>& items() const { return items_; }
  const std::array<rte_flow_action, 2>& actions() const { return actions_; }

private:
  rte_flow_item_ipv4 ipv4_{};
  rte_flow_item_ipv4 ipv4_mask_{};
  rte_flow_item_ipv6 ipv6_{};
  rte_flow_item_ipv6 ipv6_mask_{};
  rte_flow_item_udp udp_{};
  rte_flow_item_udp udp_mask_{};
  rte_flow_action_queue target_{};
  std::array<rte_flow_item, 4> items_;
  std::array<rte_flow_action, 2> actions_;
};

}  // namespace turnpike::dataplane
