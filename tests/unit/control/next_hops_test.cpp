// SPDX-License-Identifier: BSD-3-Clause
// Destinations to next-hop indices.
#include "control/relay/next_hops.hpp"

#include <gtest/gtest.h>

#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using shm::kNoNextHop;
using test::ip;
using test::mac;

constexpr std::uint32_t kEth0 = 10;
constexpr std::uint32_t kEth1 = 11;

class NextHopsTest : public ::testing::Test {
protected:
  NextHopsTest() {
    network.add_link(kEth0, mac(0xA0));
    network.add_link(kEth1, mac(0xA1), 9000);
    ports = {{"xdp:eth0", shm::PortKind::kXdp, true, kEth0, mac(0xA0), 1500},
             {"xdp:eth1", shm::PortKind::kXdp, true, kEth1, mac(0xA1), 9000},
             {"memif:/x", shm::PortKind::kMemif, true, 0, mac(0xA2), 1400}};
    hops.set_ports(ports);
    hops.set_local_addresses({ip("10.0.1.1")});
  }

  std::uint16_t resolve(std::string_view destination, const shm::LinkPath* arrival = nullptr) {
    return hops.resolve(ip(destination), ip("10.0.1.1"), arrival);
  }
  void add_static(std::string_view text) {
    statics.push_back(*StaticNextHop::parse(text));
    ASSERT_TRUE(hops.set_static(statics, ports));
  }
  void know(std::uint32_t ifindex, std::string_view neighbour, NeighbourState state, std::uint8_t last) {
    network.neighbours[{ifindex, ip(neighbour)}] = {state, mac(last)};
    hops.refresh();
  }

  test::FakeNetwork network;
  std::vector<PortInfo> ports;
  std::vector<StaticNextHop> statics;
  NextHops hops{network, 4};
};

TEST_F(NextHopsTest, own_addresses_need_none) {
  network.routes[ip("10.0.1.1")] = {kEth0, {}, true};
  EXPECT_EQ(resolve("10.0.1.1"), kNoNextHop);
  shm::LinkPath arrival;
  arrival.remote_mac = mac(0xC1);
  EXPECT_EQ(resolve("10.0.1.1", &arrival), kNoNextHop) << "whatever way a request came";
  EXPECT_TRUE(hops.take_changes().empty());
}

TEST_F(NextHopsTest, unresolved_neighbour_is_asked_for_at_once_and_told_again_when_known) {
  network.routes[ip("10.0.1.9")] = {kEth0, {}, false};
  const auto index = resolve("10.0.1.9");
  ASSERT_NE(index, kNoNextHop);
  ASSERT_EQ(network.probes.size(), 1u);
  EXPECT_EQ(network.probes[0], std::pair(kEth0, ip("10.0.1.9")));
  EXPECT_EQ(network.sources[0], ip("10.0.1.1"));
  auto changes = hops.take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].resolved, 0);
  know(kEth0, "10.0.1.9", NeighbourState::kUsable, 9);
  changes = hops.take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].index, index);
  EXPECT_EQ(changes[0].port, 0);
  EXPECT_EQ(changes[0].mtu, 1500);
  EXPECT_EQ(changes[0].source_mac, mac(0xA0));
  EXPECT_EQ(changes[0].destination_mac, mac(9));
  EXPECT_EQ(changes[0].resolved, 1);
  hops.refresh();
  EXPECT_TRUE(hops.take_changes().empty()) << "nothing new";
}

TEST_F(NextHopsTest, destinations_behind_one_gateway_share_an_index) {
  network.routes[ip("198.51.100.1")] = {kEth1, ip("10.0.2.254"), false};
  network.routes[ip("198.51.100.2")] = {kEth1, ip("10.0.2.254"), false};
  EXPECT_EQ(resolve("198.51.100.1"), resolve("198.51.100.2"));
  EXPECT_EQ(hops.size(), 1u);
  EXPECT_EQ(network.probes.size(), 1u);
  EXPECT_EQ(network.probes[0].second, ip("10.0.2.254"));
  EXPECT_EQ(hops.take_changes().at(0).port, 1);
}

TEST_F(NextHopsTest, a_gateway_of_the_other_family) {
  network.routes[ip("198.51.100.1")] = {kEth1, ip("fe80::1"), false};
  know(kEth1, "fe80::1", NeighbourState::kStale, 7);
  resolve("198.51.100.1");
  EXPECT_EQ(hops.take_changes().at(0).destination_mac, mac(7));
}

TEST_F(NextHopsTest, vlan_devices_give_their_tags) {
  network.add_vlan(20, kEth0, 100);
  network.add_vlan(21, kEth0, 200, true);
  network.add_vlan(22, 21, 300);
  network.routes[ip("10.1.0.1")] = {20, {}, false};
  network.routes[ip("10.2.0.1")] = {22, {}, false};
  network.routes[ip("10.3.0.1")] = {21, {}, false};
  resolve("10.1.0.1");
  resolve("10.2.0.1");
  resolve("10.3.0.1");
  const auto changes = hops.take_changes();
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(std::pair(changes[0].vlan, changes[0].outer_vlan),
            (std::pair<std::uint16_t, std::uint16_t>(100, 0)));
  EXPECT_EQ(std::pair(changes[1].vlan, changes[1].outer_vlan),
            (std::pair<std::uint16_t, std::uint16_t>(300, 200)));
  EXPECT_EQ(std::pair(changes[2].vlan, changes[2].outer_vlan),
            (std::pair<std::uint16_t, std::uint16_t>(0, 200)));
}

TEST_F(NextHopsTest, routes_that_leave_by_no_port_of_ours) {
  network.add_link(99, mac(0x99));
  network.routes[ip("192.0.2.1")] = {99, {}, false};
  EXPECT_EQ(resolve("192.0.2.1"), kNoNextHop);
  EXPECT_EQ(resolve("192.0.2.2"), kNoNextHop) << "no route at all";
  EXPECT_EQ(hops.counters().no_route, 2u);
  shm::LinkPath arrival;
  arrival.port = 2;
  arrival.vlan = 5;
  arrival.local_mac = mac(0xA2);
  arrival.remote_mac = mac(0xC1);
  EXPECT_NE(resolve("192.0.2.1", &arrival), kNoNextHop) << "the way the request came";
  const auto hop = hops.take_changes().at(0);
  EXPECT_EQ(hop.port, 2);
  EXPECT_EQ(hop.vlan, 5);
  EXPECT_EQ(hop.source_mac, mac(0xA2));
  EXPECT_EQ(hop.destination_mac, mac(0xC1));
  EXPECT_EQ(hop.mtu, 1400);
  EXPECT_EQ(hop.resolved, 1);
  arrival.port = 3;
  EXPECT_EQ(resolve("192.0.2.1", &arrival), kNoNextHop) << "there is no port 3";
}

TEST_F(NextHopsTest, a_route_is_preferred_to_the_way_a_request_came) {
  network.routes[ip("192.0.2.1")] = {kEth1, {}, false};
  shm::LinkPath arrival;
  arrival.remote_mac = mac(0xC1);
  resolve("192.0.2.1", &arrival);
  EXPECT_EQ(hops.take_changes().at(0).port, 1);
}

TEST_F(NextHopsTest, static_ones_by_longest_prefix) {
  add_static("0.0.0.0/0,port=2,mac=02:00:00:00:00:01");
  add_static("10.9.0.0/16,port=memif:/x,mac=02:00:00:00:00:02,vlan=7,mtu=1300");
  resolve("10.9.1.1");
  resolve("10.8.1.1");
  const auto changes = hops.take_changes();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].destination_mac, mac(2));
  EXPECT_EQ(changes[0].vlan, 7);
  EXPECT_EQ(changes[0].mtu, 1300);
  EXPECT_EQ(changes[0].source_mac, mac(0xA2));
  EXPECT_EQ(changes[1].destination_mac, mac(1));
  EXPECT_EQ(changes[1].mtu, 1400) << "the port's";
  EXPECT_EQ(resolve("fd00::1"), kNoNextHop) << "IPv4 prefixes hold no IPv6";
}

TEST_F(NextHopsTest, static_ones_must_name_a_port) {
  EXPECT_FALSE(hops.set_static({*StaticNextHop::parse("10.0.0.0/8,port=3,mac=02:00:00:00:00:01")}, ports));
  EXPECT_FALSE(
      hops.set_static({*StaticNextHop::parse("10.0.0.0/8,port=xdp:eth9,mac=02:00:00:00:00:01")}, ports));
}

TEST_F(NextHopsTest, forgotten_neighbours_keep_their_mac_failed_ones_lose_it) {
  network.routes[ip("10.0.1.9")] = {kEth0, {}, false};
  resolve("10.0.1.9");
  know(kEth0, "10.0.1.9", NeighbourState::kUsable, 9);
  hops.take_changes();
  network.neighbours.clear();
  hops.refresh();
  EXPECT_TRUE(hops.take_changes().empty()) << "the kernel forgets idle entries; our packets do not pass it";
  know(kEth0, "10.0.1.9", NeighbourState::kFailed, 0);
  EXPECT_EQ(hops.take_changes().at(0).resolved, 0);
  EXPECT_EQ(hops.unresolved(), 1u);
}

TEST_F(NextHopsTest, unresolved_ones_are_asked_for_every_second_stale_ones_rarely) {
  network.routes[ip("10.0.1.9")] = {kEth0, {}, false};
  resolve("10.0.1.9");
  Time now = seconds(100);
  network.probes.clear();
  for (int i = 0; i < 10; ++i) hops.tick(now += seconds(1));
  EXPECT_EQ(network.probes.size(), 10u);
  know(kEth0, "10.0.1.9", NeighbourState::kStale, 9);
  network.probes.clear();
  for (int i = 0; i < 60; ++i) hops.tick(now += seconds(1));
  EXPECT_EQ(network.probes.size(), 2u);
  know(kEth0, "10.0.1.9", NeighbourState::kUsable, 9);
  network.probes.clear();
  for (int i = 0; i < 60; ++i) hops.tick(now += seconds(1));
  EXPECT_TRUE(network.probes.empty());
}

TEST_F(NextHopsTest, port_mac_and_mtu_changes_reach_every_entry) {
  add_static("0.0.0.0/0,port=2,mac=02:00:00:00:00:01");
  resolve("10.8.1.1");
  hops.take_changes();
  ports[2].mac = mac(0xBB);
  ports[2].mtu = 1300;
  hops.set_ports(ports);
  const auto changes = hops.take_changes();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].source_mac, mac(0xBB));
  EXPECT_EQ(changes[0].mtu, 1300);
}

TEST_F(NextHopsTest, a_full_table_takes_back_what_no_fact_names) {
  std::vector<std::uint16_t> used;
  hops.set_mark_used([&](std::vector<bool>& flags) {
    for (const std::uint16_t index : used) flags[index] = true;
  });
  for (int i = 1; i <= 8; ++i) {
    network.routes[ip("10.0.1." + std::to_string(100 + i))] = {kEth0, {}, false};
  }
  for (int i = 1; i <= 4; ++i) used.push_back(resolve("10.0.1." + std::to_string(100 + i)));
  EXPECT_EQ(resolve("10.0.1.105"), kNoNextHop);
  EXPECT_EQ(hops.counters().table_full, 1u);
  const std::uint16_t freed = used.back();
  used.pop_back();
  EXPECT_EQ(resolve("10.0.1.105"), kNoNextHop) << "one sweep between ticks is enough";
  hops.tick(seconds(1));
  EXPECT_EQ(resolve("10.0.1.105"), freed);
  EXPECT_NE(resolve("10.0.1.101"), freed) << "those in use keep theirs";
  EXPECT_EQ(hops.size(), 4u);
}

}  // namespace
}  // namespace turnpike::control
