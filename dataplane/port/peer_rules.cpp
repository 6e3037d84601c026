// SPDX-License-Identifier: BSD-3-Clause
// Blocks of ports become masks, masks become items.
#include "dataplane/port/peer_rules.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "common/base/steering.hpp"

namespace turnpike::dataplane {

std::vector<PeerRule> peer_rules(const shm::LocalAddress& address, std::uint16_t workers) {
  std::vector<PeerRule> rules;
  if (address.address.family == wire::Family::kNone || address.relay_min == 0) return rules;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    const PortRange block = worker_ports(worker, workers, address.relay_min, address.relay_max);
    if (block.empty()) continue;
    for (const PortMask& ports : port_masks(block)) rules.push_back({address.address, ports, worker});
  }
  return rules;
}

PeerPattern::PeerPattern(const PeerRule& rule) {
  std::memcpy(&ipv4_.hdr.dst_addr, rule.address.bytes.data(), sizeof ipv4_.hdr.dst_addr);
  std::memcpy(ipv6_.hdr.dst_addr, rule.address.bytes.data(), sizeof ipv6_.hdr.dst_addr);
  std::memset(&ipv4_mask_.hdr.dst_addr, 0xFF, sizeof ipv4_mask_.hdr.dst_addr);
  std::memset(ipv6_mask_.hdr.dst_addr, 0xFF, sizeof ipv6_mask_.hdr.dst_addr);
  udp_.hdr.dst_port = htons(rule.ports.value);
  udp_mask_.hdr.dst_port = htons(rule.ports.mask);
  target_.index = rule.queue;
  items_ = {{
      {RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr, nullptr},
      rule.address.is_v4() ? rte_flow_item{RTE_FLOW_ITEM_TYPE_IPV4, &ipv4_, nullptr, &ipv4_mask_}
                           : rte_flow_item{RTE_FLOW_ITEM_TYPE_IPV6, &ipv6_, nullptr, &ipv6_mask_},
      {RTE_FLOW_ITEM_TYPE_UDP, &udp_, nullptr, &udp_mask_},
      {RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr, nullptr},
  }};
  actions_ = {{{RTE_FLOW_ACTION_TYPE_QUEUE, &target_}, {RTE_FLOW_ACTION_TYPE_END, nullptr}}};
}

}  // namespace turnpike::dataplane
