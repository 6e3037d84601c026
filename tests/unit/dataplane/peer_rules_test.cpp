// SPDX-License-Identifier: BSD-3-Clause
// A NIC in software: every packet of a peer takes exactly the rule whose queue is its port's owner, and no
// other packet takes any.
#include "dataplane/port/peer_rules.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <deque>

#include "common/base/steering.hpp"

namespace turnpike::dataplane {
namespace {

shm::LocalAddress relay_address(const char* text, std::uint16_t min, std::uint16_t max) {
  shm::LocalAddress address;
  address.address = *wire::parse_address(text);
  address.relay_min = min;
  address.relay_max = max;
  return address;
}

// An item without a specification takes everything.
template <typename Header>
bool takes(const rte_flow_item& item, const Header& header) {
  if (item.spec == nullptr) return true;
  const auto word = [](const void* at, std::size_t i) {
    std::uint32_t value;
    std::memcpy(&value, static_cast<const std::uint8_t*>(at) + 4 * i, sizeof value);
    return value;
  };
  static_assert(sizeof header % 4 == 0);
  for (std::size_t i = 0; i < sizeof header / 4; ++i) {
    const std::uint32_t mask = word(item.mask, i);
    if ((word(&header, i) & mask) != (word(item.spec, i) & mask)) return false;
  }
  return true;
}

struct Packet {
  wire::IpAddress to;
  std::uint16_t port = 0;
};

bool takes(const rte_flow_item& item, const Packet& packet) {
  switch (item.type) {
    case RTE_FLOW_ITEM_TYPE_IPV4: {
      rte_flow_item_ipv4 header{};
      std::memcpy(&header.hdr.dst_addr, packet.to.bytes.data(), sizeof header.hdr.dst_addr);
      return packet.to.is_v4() && takes(item, header);
    }
    case RTE_FLOW_ITEM_TYPE_IPV6: {
      rte_flow_item_ipv6 header{};
      std::memcpy(header.hdr.dst_addr, packet.to.bytes.data(), sizeof header.hdr.dst_addr);
      return !packet.to.is_v4() && takes(item, header);
    }
    case RTE_FLOW_ITEM_TYPE_UDP: {
      rte_flow_item_udp header{};
      header.hdr.dst_port = htons(packet.port);
      return takes(item, header);
    }
    case RTE_FLOW_ITEM_TYPE_ETH:
      return true;
    default:
      ADD_FAILURE() << "an item that this NIC does not know: " << item.type;
      return false;
  }
}

class Nic {
public:
  Nic(const std::vector<shm::LocalAddress>& addresses, std::uint16_t workers) {
    for (const shm::LocalAddress& address : addresses) {
      for (const PeerRule& rule : peer_rules(address, workers)) patterns_.emplace_back(rule);
    }
  }

  // The rules that are about this address, whatever the port.
  std::vector<const PeerPattern*> rules_of(const wire::IpAddress& address) const {
    std::vector<const PeerPattern*> found;
    for (const PeerPattern& pattern : patterns_) {
      EXPECT_EQ(pattern.items()[0].type, RTE_FLOW_ITEM_TYPE_ETH);
      EXPECT_EQ(pattern.items()[3].type, RTE_FLOW_ITEM_TYPE_END);
      if (takes(pattern.items()[0], {address, 0}) && takes(pattern.items()[1], {address, 0}))
        found.push_back(&pattern);
    }
    return found;
  }
  // Whether the rule of this queue takes the port, and no other one; kNoWorker: none does.
  static bool goes_to(const std::vector<const PeerPattern*>& rules, std::uint16_t port, WorkerIndex queue) {
    WorkerIndex taken = kNoWorker;
    for (const PeerPattern* rule : rules) {
      if (!takes(rule->items()[2], Packet{{}, port})) continue;
      if (taken != kNoWorker) return false;
      taken = queue_of(*rule);
    }
    return taken == queue;
  }
  std::size_t rules() const { return patterns_.size(); }

private:
  static std::uint16_t queue_of(const PeerPattern& pattern) {
    EXPECT_EQ(pattern.actions()[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
    EXPECT_EQ(pattern.actions()[1].type, RTE_FLOW_ACTION_TYPE_END);
    return static_cast<const rte_flow_action_queue*>(pattern.actions()[0].conf)->index;
  }

  std::deque<PeerPattern> patterns_;  // they are never moved
};

struct Range {
  std::uint16_t min, max, workers;
};

class PeerRules : public testing::TestWithParam<Range> {};

TEST_P(PeerRules, every_port_takes_the_rule_of_its_owner_alone) {
  const auto [min, max, workers] = GetParam();
  const std::vector<shm::LocalAddress> addresses{relay_address("10.0.2.1", min, max),
                                                 relay_address("10.0.2.2", min, max),
                                                 relay_address("fd00:2::1", min, max)};
  const Nic nic(addresses, workers);
  for (const shm::LocalAddress& address : addresses) {
    const auto rules = nic.rules_of(address.address);
    for (std::uint32_t port = 0; port < 65536; ++port) {
      const auto number = static_cast<std::uint16_t>(port);
      if (!Nic::goes_to(rules, number, owner_of_port(number, workers, min, max)))
        FAIL() << to_string(address.address) << ' ' << port;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ranges, PeerRules,
                         testing::Values(Range{49152, 65535, 2}, Range{49153, 65534, 3},
                                         Range{50001, 50002, 2}, Range{1024, 65535, 5},
                                         Range{40001, 40003, 4}));

TEST(PeerRule, other_addresses_take_none) {
  const Nic nic({relay_address("10.0.2.1", 49152, 65535), relay_address("fd00:2::1", 49152, 65535)}, 2);
  for (const char* other : {"10.0.2.2", "11.0.2.1", "10.0.2.0", "fd00:2::2", "fd01:2::1"}) {
    EXPECT_TRUE(nic.rules_of(*wire::parse_address(other)).empty()) << other;
  }
}

TEST(PeerRule, an_address_that_relays_nothing_has_none) {
  EXPECT_EQ(Nic({relay_address("10.0.1.1", 0, 0), shm::LocalAddress{}}, 2).rules(), 0U);
}

// The usual range costs a NIC that has few of them no more than one rule for each of two workers.
TEST(PeerRule, the_usual_range_is_few_rules) {
  EXPECT_EQ(Nic({relay_address("10.0.2.1", 49152, 65535)}, 2).rules(), 2U);
  EXPECT_EQ(Nic({relay_address("10.0.2.1", 49152, 65535)}, 8).rules(), 8U);
}

// net_tap takes exact ports only (TC flower has no masks for them).
TEST(PeerRule, a_block_of_one_port_is_exact) {
  for (const PeerRule& rule : peer_rules(relay_address("10.0.2.1", 50001, 50002), 2)) {
    EXPECT_EQ(rule.ports.mask, 0xFFFF);
  }
}

}  // namespace
}  // namespace turnpike::dataplane
