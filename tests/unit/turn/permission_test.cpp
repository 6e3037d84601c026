// SPDX-License-Identifier: BSD-3-Clause
// Permissions (RFC 8656 sections 9 and 10).
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnPermission : public TurnTest {
protected:
  TurnClient ready(std::string_view from = "203.0.113.5:5000") {
    auto c = client(from);
    relayed = allocate(c).relayed.at(0);
    return c;
  }
  Endpoint relayed;
};

TEST_F(TurnPermission, C112_createperm_peer_missing_400) {
  auto c = ready();
  EXPECT_EQ(permit(c, {}).error, 400);
  const auto raw = [&](const Datagram& value) {
    return ask(c, Method::kCreatePermission,
               [&](MessageWriter& writer) { writer.add(Attribute::kXorPeerAddress, value); });
  };
  EXPECT_EQ(raw({}).error, 400);
  EXPECT_EQ(raw({0, 1, 0, 0}).error, 400);
  EXPECT_EQ(raw({0, 3, 0, 0, 1, 2, 3, 4}).error, 400);
  EXPECT_EQ(raw({0, 2, 0, 0, 1, 2, 3, 4}).error, 400);
}

TEST_F(TurnPermission, C113_createperm_multiple_peers) {
  auto c = ready();
  EXPECT_TRUE(permit(c, {"8.8.8.8:1", "8.8.4.4:0", "1.1.1.1:7", "8.8.8.8:2"}).ok());
  const auto installed = all<InstallPermission>();
  ASSERT_EQ(installed.size(), 3u);  // one address twice: one permission
  for (const auto& each : installed) {
    EXPECT_EQ(each.relay, RelayEndpoint(relayed));
    EXPECT_EQ(each.deadline, now + seconds(300));
  }
  for (const char* each : {"8.8.8.8:9", "8.8.4.4:9", "1.1.1.1:9"}) {
    EXPECT_TRUE(send(c, each));
    EXPECT_TRUE(receive(relayed, each));
  }
}

TEST_F(TurnPermission, C114_createperm_all_or_nothing) {
  auto c = ready();
  EXPECT_EQ(permit(c, {"8.8.8.8:1", "10.0.0.1:1"}).error, 403);
  EXPECT_EQ(permit(c, {"8.8.8.8:1", "[2a00::1]:1"}).error, 443);
  EXPECT_EQ(permit(c, {"8.8.8.8:1", "10.0.0.1:1", "[2a00::1]:1"}).error, 443);
  const Reply malformed = ask(c, Method::kCreatePermission, [](MessageWriter& writer) {
    writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.8.8:1"));
    writer.add_empty(Attribute::kXorPeerAddress);
  });
  EXPECT_EQ(malformed.error, 400);
  EXPECT_TRUE(all<InstallPermission>().empty());
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
}

TEST_F(TurnPermission, C115_createperm_port_ignored) {
  auto c = ready();
  EXPECT_TRUE(permit(c, {"8.8.8.8:0"}).ok());
  EXPECT_TRUE(permit(c, {"8.8.8.8:65535"}).ok());
  EXPECT_EQ(all<InstallPermission>().size(), 1u);
}

TEST_F(TurnPermission, C116_createperm_family_443) {
  auto c = ready();
  EXPECT_EQ(permit(c, {"[2a00::1]:1"}).error, 443);
}

TEST_F(TurnPermission, C117_C225_createperm_forbidden_403_peer_policy_defaults) {
  auto c = client();
  allocate(c, [](MessageWriter& writer) {
    writer.add_address_family(Attribute::kAdditionalAddressFamily, Family::kIpv6);
  });
  for (const char* each : {"0.0.0.0:1",
                           "10.1.2.3:1",
                           "100.64.0.1:1",
                           "127.0.0.1:1",
                           "169.254.169.254:80",
                           "172.16.0.1:1",
                           "192.168.1.1:1",
                           "224.0.0.1:1",
                           "255.255.255.255:1",
                           "[::]:1",
                           "[::1]:1",
                           "[::ffff:8.8.8.8]:1",
                           "[::ffff:127.0.0.1]:1",
                           "[::8.8.8.8]:1",
                           "[64:ff9b::8.8.8.8]:1",
                           "[64:ff9b:1::8.8.8.8]:1",
                           "[2001::1]:1",
                           "[2002:808:808::1]:1",
                           "[fe80::1]:1",
                           "[fc00::1]:1",
                           "[fd12::1]:1",
                           "[ff02::1]:1",
                           "[2001:db8::1]:1"}) {
    EXPECT_EQ(permit(c, {each}).error, 403) << each;
    EXPECT_EQ(bind(c, 0x4000, each).error, 403) << each;
    EXPECT_FALSE(send(c, each)) << each;
  }
  EXPECT_TRUE(permit(c, {"8.8.8.8:1", "[2a00::1]:1"}).ok());
}

TEST_F(TurnPermission, C117_own_service_addresses_403) {
  auto c = ready();
  EXPECT_EQ(permit(c, {"198.51.100.1:60000"}).error, 403);  // listening there, relaying elsewhere
  EXPECT_TRUE(permit(c, {"198.51.100.10:1"}).ok());         // a relay address, though a documentation one
}

TEST_F(TurnPermission, C117_operator_lists) {
  ASSERT_TRUE(config.policy.allow("10.0.0.0/8"));
  ASSERT_TRUE(config.policy.deny("10.9.0.0-10.9.255.255"));
  ASSERT_TRUE(config.policy.deny("9.9.9.9"));
  auto c = ready();
  EXPECT_TRUE(permit(c, {"10.1.2.3:1"}).ok());
  EXPECT_EQ(permit(c, {"10.9.1.1:1"}).error, 403);
  EXPECT_EQ(permit(c, {"9.9.9.9:1"}).error, 403);
}

TEST_F(TurnPermission, C118_createperm_capacity_508) {
  config.max_permissions_per_allocation = 3;
  config.max_permissions = 5;
  auto a = ready("203.0.113.5:5000");
  auto b = ready("203.0.113.5:5001");
  EXPECT_EQ(permit(a, {"8.0.0.1:1", "8.0.0.2:1", "8.0.0.3:1", "8.0.0.4:1"}).error, 508);  // of the allocation
  EXPECT_TRUE(all<InstallPermission>().empty());
  EXPECT_TRUE(permit(a, {"8.0.0.1:1", "8.0.0.2:1", "8.0.0.3:1"}).ok());
  EXPECT_EQ(permit(b, {"8.0.0.1:1", "8.0.0.2:1", "8.0.0.3:1"}).error, 508);  // of the worker
  EXPECT_TRUE(permit(b, {"8.0.0.1:1", "8.0.0.2:1"}).ok());
  EXPECT_TRUE(permit(a, {"8.0.0.1:1", "8.0.0.2:1", "8.0.0.3:1"}).ok());  // a refresh needs no room
  EXPECT_EQ(bind(b, 0x4000, "8.0.0.9:1").error, 508);
  EXPECT_EQ(server().counters().full_peers, 1u);
  EXPECT_EQ(server().counters().full_permissions, 2u);
  advance(seconds(301));
  EXPECT_TRUE(permit(b, {"8.0.0.7:1", "8.0.0.8:1", "8.0.0.9:1"}).ok());
}

TEST_F(TurnPermission, C119_permission_by_ip_only) {
  auto c = ready();
  permit(c, {"8.8.8.8:1000"});
  for (const char* each : {"8.8.8.8:1", "8.8.8.8:1000", "8.8.8.8:65535"}) {
    EXPECT_TRUE(receive(relayed, each));
    EXPECT_TRUE(send(c, each));
  }
  EXPECT_FALSE(receive(relayed, "8.8.8.9:1000"));
}

TEST_F(TurnPermission, C120_permission_lifetime_300) {
  auto c = ready();
  permit(c, {"8.8.8.8:1"});
  advance(seconds(200));
  permit(c, {"8.8.8.8:1"});
  EXPECT_EQ(only<InstallPermission>()->deadline, now + seconds(300));
  advance(std::chrono::milliseconds(299'999));
  EXPECT_TRUE(send(c, "8.8.8.8:1"));
  EXPECT_TRUE(receive(relayed, "8.8.8.8:1"));
  now += std::chrono::milliseconds(1);
  EXPECT_FALSE(send(c, "8.8.8.8:1"));
  EXPECT_FALSE(receive(relayed, "8.8.8.8:1"));
  advance(seconds(1));
  EXPECT_EQ(count_timed_out<RemovePermission>(), 1u);
  EXPECT_EQ(server().counters().permissions_expired, 1u);
}

TEST_F(TurnPermission, C120_channel_bind_resets_it) {
  auto c = ready();
  permit(c, {"8.8.8.8:1"});
  advance(seconds(200));
  bind(c, 0x4000, "8.8.8.8:5");
  advance(seconds(200));
  EXPECT_TRUE(receive(relayed, "8.8.8.8:1"));
}

TEST_F(TurnPermission, C121_permission_not_refreshed_by_data) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  for (int i = 0; i < 29; ++i) {
    advance(seconds(10));
    EXPECT_TRUE(send(c, "8.8.8.8:2"));
    EXPECT_TRUE(send_channel(c, 0x4000));
    EXPECT_TRUE(receive(relayed, "8.8.8.8:1"));
  }
  advance(seconds(11));
  EXPECT_FALSE(send(c, "8.8.8.8:2"));
  EXPECT_FALSE(receive(relayed, "8.8.8.8:1"));
}

TEST_F(TurnPermission, C122_permission_scope) {
  auto a = ready("203.0.113.5:5000");
  const Endpoint relay_a = relayed;
  auto b = ready("203.0.113.5:5001");
  const Endpoint relay_b = relayed;
  permit(a, {"8.8.8.8:1"});
  EXPECT_TRUE(receive(relay_a, "8.8.8.8:1"));
  EXPECT_FALSE(receive(relay_b, "8.8.8.8:1"));
  EXPECT_FALSE(send(b, "8.8.8.8:1"));
}

TEST_F(TurnPermission, many_peers_in_one_request) {
  auto c = client("203.0.113.5:5000", "alice", "secret", Transport::kTcp);
  allocate(c);
  std::vector<std::string> peers;
  for (int i = 1; i <= 256; ++i)
    peers.push_back("8.1." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ":1");
  EXPECT_TRUE(permit(c, peers).ok());
  EXPECT_EQ(all<InstallPermission>().size(), 256u);
  peers.push_back("8.2.0.1:1");
  EXPECT_EQ(permit(c, peers).error, 508);
}

}  // namespace
}  // namespace turnpike::turn
