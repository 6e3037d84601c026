// SPDX-License-Identifier: BSD-3-Clause
// KernelNetwork against a real kernel, in a network namespace of the test's own.
#include "control/netlink/kernel_network.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/twoproc/in_namespace.hpp"
#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using test::ip;
using turnpike::test::in_namespace;
using turnpike::test::shell;

void make_links() {
  shell("ip link set lo up && ip link add eth0 address 02:00:00:00:00:a0 mtu 1400 type veth peer name far0");
  shell("ip link set eth0 up && ip link set far0 up && ip address add 10.5.0.1/24 dev eth0");
  shell("ip -6 address add fd05::1/64 dev eth0 nodad");
}

KernelNetwork open() {
  auto network = KernelNetwork::open();
  if (!network) throw std::runtime_error(network.error());
  return std::move(*network);
}

std::uint32_t index_of(const char* name) { return if_nametoindex(name); }

TEST(KernelNetwork, reads_what_is_there) {
  in_namespace([] {
    make_links();
    // Some kernels come without 802.1Q.
    const bool has_vlan = std::system("ip link add link eth0 name eth0.7 type vlan id 7 2>/dev/null") == 0;
    shell("ip neighbour add 10.5.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent");
    const KernelNetwork network = open();
    const Link* link = network.link(index_of("eth0"));
    ASSERT_NE(link, nullptr);
    EXPECT_EQ(link->name, "eth0");
    EXPECT_EQ(link->mtu, 1400);
    EXPECT_EQ(link->mac, test::mac(0xA0));
    EXPECT_TRUE(link->up);
    EXPECT_EQ(link->parent, 0u);
    if (has_vlan) {
      EXPECT_EQ(network.link(index_of("eth0.7"))->vlan, 7);
      EXPECT_EQ(network.link(index_of("eth0.7"))->parent, index_of("eth0"));
    }
    const auto addresses = network.addresses();
    const auto has = [&](const InterfaceAddress& wanted) {
      return std::find(addresses.begin(), addresses.end(), wanted) != addresses.end();
    };
    EXPECT_TRUE(has({index_of("eth0"), ip("10.5.0.1"), 24, false}));
    EXPECT_TRUE(has({index_of("eth0"), ip("fd05::1"), 64, false}));
    EXPECT_EQ(network.neighbour(index_of("eth0"), ip("10.5.0.9")).state, NeighbourState::kUsable);
    EXPECT_EQ(network.neighbour(index_of("eth0"), ip("10.5.0.9")).mac, test::mac(9));
  });
}

TEST(KernelNetwork, asks_for_routes_and_forgets_them_when_they_change) {
  in_namespace([] {
    make_links();
    KernelNetwork network = open();
    const auto direct = network.route(ip("10.5.0.9"), ip("10.5.0.1"));
    ASSERT_TRUE(direct);
    EXPECT_EQ(direct->ifindex, index_of("eth0"));
    EXPECT_EQ(direct->gateway.family, wire::Family::kNone);
    EXPECT_TRUE(network.route(ip("10.5.0.1"), ip("10.5.0.1"))->local);
    EXPECT_FALSE(network.route(ip("198.51.100.1"), ip("10.5.0.1"))) << "no default route yet";
    EXPECT_FALSE(network.route(ip("2001:db8::1"), ip("fd05::1")));

    shell("ip route add default via 10.5.0.254 && ip -6 route add default via fe80::fe dev eth0");
    EXPECT_FALSE(network.route(ip("198.51.100.1"), ip("10.5.0.1"))) << "remembered until the change is taken";
    EXPECT_TRUE(network.take_changes().routes);
    ASSERT_TRUE(network.route(ip("198.51.100.1"), ip("10.5.0.1")));
    EXPECT_EQ(network.route(ip("198.51.100.1"), ip("10.5.0.1"))->gateway, ip("10.5.0.254"));
    ASSERT_TRUE(network.route(ip("2001:db8::1"), ip("fd05::1")));
    EXPECT_EQ(network.route(ip("2001:db8::1"), ip("fd05::1"))->gateway, ip("fe80::fe"));

    shell("ip route add unreachable 198.51.100.0/24");
    network.take_changes();
    EXPECT_FALSE(network.route(ip("198.51.100.1"), ip("10.5.0.1")));
    // A source that the kernel does not have, as behind a port without netdev.
    EXPECT_FALSE(network.route(ip("203.0.113.1"), ip("10.99.0.1")));
  });
}

TEST(KernelNetwork, hears_of_changes) {
  in_namespace([] {
    make_links();
    KernelNetwork network = open();
    network.take_changes();
    EXPECT_FALSE(network.take_changes().any());
    shell("ip neighbour add 10.5.0.8 lladdr 02:00:00:00:00:08 dev eth0 nud reachable");
    EXPECT_TRUE(network.take_changes().neighbours);
    EXPECT_EQ(network.neighbour(index_of("eth0"), ip("10.5.0.8")).mac, test::mac(8));
    shell("ip link set eth0 mtu 1300");
    EXPECT_TRUE(network.take_changes().links);
    EXPECT_EQ(network.link(index_of("eth0"))->mtu, 1300);
    shell("ip address add 10.6.0.1/24 dev eth0 && ip address del 10.5.0.1/24 dev eth0");
    EXPECT_TRUE(network.take_changes().addresses);
    std::vector<IpAddress> v4;
    for (const auto& address : network.addresses()) {
      if (address.address.is_v4() && address.ifindex == index_of("eth0")) v4.push_back(address.address);
    }
    EXPECT_EQ(v4, std::vector{ip("10.6.0.1")});
    const std::uint32_t gone = index_of("eth0");
    shell("ip link del eth0");
    EXPECT_TRUE(network.take_changes().links);
    EXPECT_EQ(network.link(gone), nullptr);
  });
}

TEST(KernelNetwork, a_probe_makes_the_kernel_ask) {
  in_namespace([] {
    make_links();
    KernelNetwork network = open();
    network.probe(index_of("eth0"), ip("10.5.0.77"));
    network.probe(index_of("eth0"), ip("fd05::77"));
    EXPECT_FALSE(network.probes_refused());
    shell("test -n \"$(ip -4 neighbour show 10.5.0.77 dev eth0)\"");
    shell("test -n \"$(ip -6 neighbour show fd05::77 dev eth0)\"");
  });
}

TEST(KernelNetwork, reads_everything_again_when_changes_were_lost) {
  in_namespace([] {
    make_links();
    KernelNetwork network = open();
    constexpr int kNeighbours = 20000;  // more than the socket's buffer holds
    {
      char path[] = "/tmp/turnpike-batch-XXXXXX";
      close(mkstemp(path));
      std::ofstream batch(path);
      for (int i = 0; i < kNeighbours; ++i) {
        batch << "neighbour add 10.5." << 1 + i / 250 << "." << 1 + i % 250
              << " lladdr 02:00:00:00:00:01 dev eth0 nud permanent\n";
      }
      batch.close();
      shell(std::string("ip -batch ") + path);
      unlink(path);
    }
    network.take_changes();
    for (int i = 0; i < kNeighbours; ++i) {
      const auto address = ip("10.5." + std::to_string(1 + i / 250) + "." + std::to_string(1 + i % 250));
      ASSERT_EQ(network.neighbour(index_of("eth0"), address).state, NeighbourState::kUsable) << i;
    }
  });
}

}  // namespace
}  // namespace turnpike::control
