// SPDX-License-Identifier: BSD-3-Clause
// Choice of listening and relay addresses.
#include "control/runtime/addresses.hpp"

#include <gtest/gtest.h>

#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using test::ip;
using test::mac;

class Addresses : public ::testing::Test {
protected:
  Addresses() {
    network.add_link(10, mac(1));
    network.add_vlan(11, 10, 100);
    network.add_link(12, mac(2));
    network.all_addresses = {{10, ip("10.0.1.1"), 24, false},
                             {10, ip("fe80::1"), 64, true},
                             {11, ip("fd00::1"), 64, false},
                             {12, ip("192.168.7.7"), 24, false}};
    ports = {{"xdp:eth0", shm::PortKind::kXdp, true, 10, mac(1), 1500}};
    options.listening_port = 3478;
  }
  Result<ServedAddresses> choose() { return choose_addresses(options, ports, network); }
  void expect_refused(const std::string& part) {
    const auto served = choose();
    ASSERT_FALSE(served);
    EXPECT_NE(served.error().find(part), std::string::npos) << served.error();
  }

  test::FakeNetwork network;
  std::vector<PortInfo> ports;
  ControlOptions options;
};

TEST_F(Addresses, default_is_all_that_the_ports_carry) {
  const auto served = choose();
  ASSERT_TRUE(served) << served.error();
  EXPECT_EQ(served->listening, (std::vector{ip("10.0.1.1"), ip("fd00::1")})) << "VLANs yes, link-local no";
  ASSERT_EQ(served->relays.size(), 2u);
  EXPECT_EQ(served->relays[1].own, ip("fd00::1"));
}

TEST_F(Addresses, given_ones_must_be_carried) {
  options.listening_ips = {ip("fd00::1")};
  options.relay_ips = {ip("10.0.1.1")};
  ASSERT_TRUE(choose());
  options.relay_ips = {ip("192.168.7.7")};
  expect_refused("relay-ip=192.168.7.7: no port's netdev carries it (they carry 10.0.1.1, fd00::1)");
  ports.push_back({"memif:/x", shm::PortKind::kMemif, true, 0, mac(3), 1500});
  EXPECT_TRUE(choose()) << "a port without netdev may have any address";
}

TEST_F(Addresses, ports_without_addresses_need_options) {
  network.all_addresses.clear();
  expect_refused("--listening-ip");
}

TEST_F(Addresses, external_addresses) {
  options.external_ips = {{ip("198.51.100.1"), {}}};
  auto served = choose();
  ASSERT_TRUE(served) << served.error();
  EXPECT_EQ(served->relays[0].advertised, ip("198.51.100.1"));
  EXPECT_EQ(served->relays[1].advertised, ip("fd00::1")) << "of the other family";
  const auto services = served->service_endpoints(options);
  EXPECT_NE(std::find(services.begin(), services.end(),
                      wire::ServerEndpoint(wire::Endpoint{ip("198.51.100.1"), 0, 3478})),
            services.end())
      << "the listener's outside form is no peer either";
  options.external_ips.push_back({ip("198.51.100.2"), ip("10.0.1.1")});
  expect_refused("has another external address already");
  options.external_ips = {{ip("198.51.100.2"), ip("10.0.1.2")}};
  expect_refused("no such relay-ip");
}

TEST_F(Addresses, listening_port_must_not_be_given_out_as_relay_port) {
  options.listening_port = 50000;
  expect_refused("lies in the relay range 49152-65535 of 10.0.1.1");
  options.listening_ips = {ip("10.0.1.1")};
  options.relay_ips = {ip("fd00::1")};
  EXPECT_TRUE(choose()) << "different addresses";
}

TEST_F(Addresses, facts_say_everything_about_an_address_at_once) {
  options.external_ips = {{ip("198.51.100.1"), {}}};
  options.listening_ips = {ip("10.0.1.1")};
  const auto facts = choose()->facts(options, options.turn.relay_ports());
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(facts[0].index, 0);
  EXPECT_EQ(facts[0].listener_port, 3478);
  EXPECT_EQ(facts[0].relay_min, 49152);
  EXPECT_EQ(facts[0].relay_max, 65535);
  EXPECT_EQ(facts[0].advertised, ip("198.51.100.1"));
  EXPECT_EQ(facts[1].index, 1);
  EXPECT_EQ(facts[1].address, ip("fd00::1"));
  EXPECT_EQ(facts[1].listener_port, 0);
  EXPECT_EQ(facts[1].relay_min, 49152);
  EXPECT_EQ(facts[1].advertised.family, wire::Family::kNone);
}

TEST_F(Addresses, every_port_of_ours_is_a_service_of_any_transport) {
  options.listeners.tls_port = 5349;
  options.listeners.dtls = false;
  options.listeners.proxy_port = 3500;
  auto served = choose();
  ASSERT_TRUE(served) << served.error();
  served->kernel_sockets = true;
  const auto services = served->service_endpoints(options);
  for (const std::uint16_t port : {3478, 5349, 3500}) {
    EXPECT_EQ(std::count(services.begin(), services.end(),
                         wire::ServerEndpoint(wire::Endpoint{ip("10.0.1.1"), 0, port})),
              1)
        << port;
  }
  const auto facts = served->facts(options, options.turn.relay_ports());
  EXPECT_EQ(facts[0].services, (std::array<std::uint16_t, 2>{5349, 3500}));
  options.listeners.tls = false;
  options.listeners.proxy_port = 0;
  EXPECT_EQ(served->facts(options, options.turn.relay_ports())[0].services,
            (std::array<std::uint16_t, 2>{0, 0}));
}

}  // namespace
}  // namespace turnpike::control
