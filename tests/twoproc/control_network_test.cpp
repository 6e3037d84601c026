// SPDX-License-Identifier: BSD-3-Clause
// turnpike-control with a port whose netdev the kernel has: addresses, neighbours, routes and ports of a real
// kernel, in a namespace of the test's own.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <fstream>

#include "common/wire/mac_address.hpp"
#include "tests/twoproc/control_fixture.hpp"
#include "tests/twoproc/in_namespace.hpp"

namespace turnpike::test {
namespace {

using shm::Command;

struct NetworkedControl {
  FakeDataplane dataplane;
  TestCrypto crypto;
  TurnClient client{crypto, five_tuple("10.5.0.50:5000", "10.5.0.1:3478"), "alice", "secret"};
  std::unique_ptr<Process> control;

  NetworkedControl() {
    shell("ip link set lo up && ip link add eth0 address 02:00:00:00:00:aa type veth peer name far0");
    shell("ip link set eth0 up && ip link set far0 up && ip address add 10.5.0.1/24 dev eth0");
    shell("ip -6 address add fd05::1/64 dev eth0 nodad");
    dataplane.region().port(0).kind = static_cast<std::uint32_t>(shm::PortKind::kXdp);
    dataplane.region().port(0).ifindex = if_nametoindex("eth0");
    dataplane.publish();
  }
  void start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{
        TURNPIKE_CONTROL, "--instance",   "t",       "--runtime-dir", dataplane.runtime_dir(),
        "--user",         "alice:secret", "--realm", "example.org"};
    command.insert(command.end(), more.begin(), more.end());
    control = std::make_unique<Process>(command);
    ASSERT_TRUE(dataplane.serve_control()) << control->errors();
  }
  void start_and_wait() {
    start();
    EXPECT_EQ(wait_ready(dataplane, *control), "ready: turn:10.5.0.1:3478") << control->errors();
  }
  Reply exchange(Bytes message) {
    EXPECT_TRUE(dataplane.push_request(0, client.tuple, message));
    const auto answer = dataplane.take_until(0, Command::kSendDatagram);
    if (!answer) throw std::runtime_error("no answer");
    return read_reply(answer->payload());
  }
};

std::string reserved_ports() {
  std::string line;
  std::ifstream file("/proc/sys/net/ipv4/ip_local_reserved_ports");
  std::getline(file, line);
  return line;
}

TEST(NetworkedControl, serves_what_the_netdev_carries_and_reserves_the_relay_range) {
  in_namespace([] {
    NetworkedControl run;
    run.start();
    const auto commands = run.dataplane.take_burst(0);
    run.dataplane.take_burst(1);
    ASSERT_EQ(commands.size(), 4u);  // and the challenge
    EXPECT_EQ(wire::to_string(commands[1].as<shm::LocalAddress>().address), "10.5.0.1");
    EXPECT_EQ(wire::to_string(commands[2].as<shm::LocalAddress>().address), "fd05::1");
    EXPECT_EQ(run.control->output_line(), "ready: turn:10.5.0.1:3478");
    EXPECT_EQ(reserved_ports(), "49152-65535");
    run.control->signal(SIGTERM);
    EXPECT_EQ(run.control->exit_code(), 0) << run.control->errors();
  });
}

TEST(NetworkedControl, next_hops_follow_neighbours) {
  in_namespace([] {
    NetworkedControl run;
    run.start_and_wait();
    run.client.learn(
        run.exchange(run.client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
    run.dataplane.push_request(0, run.client.tuple, run.client.request(Method::kAllocate, add_udp_transport));
    auto hop = run.dataplane.take_until(0, Command::kSetNextHop);
    ASSERT_TRUE(hop);
    EXPECT_EQ(hop->as<shm::NextHop>().resolved, 0) << "the kernel knows the route and not yet the neighbour";
    shell("test -n \"$(ip neighbour show 10.5.0.50 dev eth0)\"");  // and was made to ask
    shell("ip neighbour replace 10.5.0.50 lladdr 02:00:00:00:00:50 dev eth0 nud reachable");
    hop = run.dataplane.take_until(0, Command::kSetNextHop);
    ASSERT_TRUE(hop);
    EXPECT_EQ(hop->as<shm::NextHop>().resolved, 1);
    EXPECT_EQ(wire::to_string(hop->as<shm::NextHop>().destination_mac), "02:00:00:00:00:50");
    EXPECT_EQ(hop->as<shm::NextHop>().source_mac, kPortMac);
    shell("ip link set eth0 mtu 1280");
    hop = run.dataplane.take_until(0, Command::kSetNextHop);
    ASSERT_TRUE(hop);
    EXPECT_EQ(hop->as<shm::NextHop>().mtu, 1280);
  });
}

TEST(NetworkedControl, live_facts_follow_routes) {
  in_namespace([] {
    NetworkedControl run;
    run.start_and_wait();
    run.client.learn(
        run.exchange(run.client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport)));
    ASSERT_TRUE(run.exchange(run.client.request(Method::kAllocate, add_udp_transport)).ok());
    run.dataplane.apply(0, 1);
    run.dataplane.push_request(
        0, run.client.tuple, run.client.request(Method::kCreatePermission, [](MessageWriter& writer) {
          writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("203.0.114.9:0"));
        }));
    auto fact = run.dataplane.take_until(0, Command::kInstallPermission);
    ASSERT_TRUE(fact);
    EXPECT_EQ(fact->as<shm::PermissionFact>().next_hop, shm::kNoNextHop) << "no route";
    run.dataplane.apply(0, fact->seq);

    shell("ip route add default via 10.5.0.254");
    fact = run.dataplane.take_until(0, Command::kInstallPermission);
    ASSERT_TRUE(fact);
    EXPECT_EQ(fact->seq, 0u);
    const auto first = fact->as<shm::PermissionFact>().next_hop;
    EXPECT_NE(first, shm::kNoNextHop);

    shell("ip route change default via 10.5.0.253");
    fact = run.dataplane.take_until(0, Command::kInstallPermission);
    ASSERT_TRUE(fact);
    EXPECT_NE(fact->as<shm::PermissionFact>().next_hop, first);
  });
}

TEST(NetworkedControl, refuses_a_port_that_another_program_serves) {
  in_namespace([] {
    NetworkedControl run;
    const int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(3478);
    ASSERT_EQ(bind(other, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    run.start();
    EXPECT_EQ(run.control->exit_code(), 1);
    EXPECT_NE(run.control->errors().find("another program of this machine serves UDP on 10.5.0.1:3478"),
              std::string::npos)
        << run.control->errors();
  });
}

TEST(NetworkedControl, refuses_an_address_that_the_port_does_not_carry) {
  in_namespace([] {
    NetworkedControl run;
    run.start({"--relay-ip", "10.5.0.2"});
    EXPECT_EQ(run.control->exit_code(), 1);
    EXPECT_NE(run.control->errors().find(
                  "relay-ip=10.5.0.2: no port's netdev carries it (they carry 10.5.0.1, fd05::1)"),
              std::string::npos)
        << run.control->errors();
  });
}

}  // namespace
}  // namespace turnpike::test
