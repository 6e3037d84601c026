// SPDX-License-Identifier: BSD-3-Clause
// rte_flow: eth / ip dst / udp dst -> queue.
#include "dataplane/port/peer_steering.hpp"

#include <netinet/in.h>
#include <rte_errno.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/base/steering.hpp"
#include "dataplane/port/port_masks.hpp"

namespace turnpike::dataplane {

rte_flow* PeerSteering::add(const shm::LocalAddress& address, std::uint16_t port, std::uint16_t mask,
                            std::uint16_t queue) {
  rte_flow_item_ipv4 ipv4{};
  rte_flow_item_ipv4 ipv4_mask{};
  rte_flow_item_ipv6 ipv6{};
  rte_flow_item_ipv6 ipv6_mask{};
  std::memcpy(&ipv4.hdr.dst_addr, address.address.bytes.data(), sizeof ipv4.hdr.dst_addr);
  std::memcpy(ipv6.hdr.dst_addr, address.address.bytes.data(), sizeof ipv6.hdr.dst_addr);
  std::memset(&ipv4_mask.hdr.dst_addr, 0xFF, sizeof ipv4_mask.hdr.dst_addr);
  std::memset(ipv6_mask.hdr.dst_addr, 0xFF, sizeof ipv6_mask.hdr.dst_addr);
  rte_flow_item_udp udp{};
  rte_flow_item_udp udp_mask{};
  udp.hdr.dst_port = htons(port);
  udp_mask.hdr.dst_port = htons(mask);
  const bool v4 = address.address.is_v4();
  const std::array<rte_flow_item, 4> pattern{{
      {RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr, nullptr},
      v4 ? rte_flow_item{RTE_FLOW_ITEM_TYPE_IPV4, &ipv4, nullptr, &ipv4_mask}
         : rte_flow_item{RTE_FLOW_ITEM_TYPE_IPV6, &ipv6, nullptr, &ipv6_mask},
      {RTE_FLOW_ITEM_TYPE_UDP, &udp, nullptr, &udp_mask},
      {RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr, nullptr},
  }};
  const rte_flow_action_queue target{queue};
  const std::array<rte_flow_action, 2> actions{
      {{RTE_FLOW_ACTION_TYPE_QUEUE, &target}, {RTE_FLOW_ACTION_TYPE_END, nullptr}}};
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  rte_flow_error error{};
  rte_flow* rule = nullptr;
  if (rte_flow_validate(device_, &attributes, pattern.data(), actions.data(), &error) == 0)
    rule = rte_flow_create(device_, &attributes, pattern.data(), actions.data(), &error);
  if (rule == nullptr) reason_ = error.message != nullptr ? error.message : rte_strerror(rte_errno);
  return rule;
}

bool PeerSteering::add_all(const shm::LocalAddress& address) {
  for (std::uint16_t worker = 0; worker < queues_; ++worker) {
    const PortRange block = worker_ports(worker, queues_, address.relay_min, address.relay_max);
    if (block.empty()) continue;
    for (const PortMask& ports : port_masks(block)) {
      rte_flow* rule = add(address, ports.value, ports.mask, worker);
      if (rule == nullptr) return false;
      rules_.push_back(rule);
    }
  }
  return true;
}

void PeerSteering::clear() noexcept {
  rte_flow_error error;
  for (rte_flow* rule : rules_) rte_flow_destroy(device_, rule, &error);
  rules_.clear();
}

std::string PeerSteering::apply(const LocalAddressList& list) {
  if (refused_) return {};
  const std::size_t before = rules_.size();
  clear();
  for (const shm::LocalAddress& fact : list.facts()) {
    const bool relays = fact.address.family != wire::Family::kNone && fact.relay_min != 0;
    if (!relays || add_all(fact)) continue;
    refused_ = true;
    clear();
    return "the NIC takes no rules for relay ports (" + reason_ + "); workers hand peers' packets over";
  }
  if (rules_.size() == before) return {};
  return std::to_string(rules_.size()) + " rules in the NIC bring peers' packets to their workers";
}

}  // namespace turnpike::dataplane
