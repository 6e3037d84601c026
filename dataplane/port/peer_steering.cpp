// SPDX-License-Identifier: BSD-3-Clause
// All rules or none.
#include "dataplane/port/peer_steering.hpp"

#include <rte_errno.h>

namespace turnpike::dataplane {

rte_flow* PeerSteering::add(const PeerRule& rule) {
  const PeerPattern pattern(rule);
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  rte_flow_error error{};
  rte_flow* made = nullptr;
  const rte_flow_item* items = pattern.items().data();
  const rte_flow_action* actions = pattern.actions().data();
  if (rte_flow_validate(device_, &attributes, items, actions, &error) == 0)
    made = rte_flow_create(device_, &attributes, items, actions, &error);
  if (made == nullptr) reason_ = error.message != nullptr ? error.message : rte_strerror(rte_errno);
  return made;
}

bool PeerSteering::add_all(const shm::LocalAddress& address) {
  for (const PeerRule& rule : peer_rules(address, queues_)) {
    rte_flow* made = add(rule);
    if (made == nullptr) return false;
    rules_.push_back(made);
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
    if (add_all(fact)) continue;
    refused_ = true;
    clear();
    return "the NIC takes no rules for relay ports (" + reason_ + "); workers hand peers' packets over";
  }
  if (rules_.size() == before) return {};
  return std::to_string(rules_.size()) + " rules in the NIC bring peers' packets to their workers";
}

}  // namespace turnpike::dataplane
