// SPDX-License-Identifier: BSD-3-Clause
// Channels (RFC 8656 section 12).
#include "tests/unit/turn/turn_fixture.hpp"

namespace turnpike::turn {
namespace {

class TurnChannel : public TurnTest {
protected:
  TurnClient ready(std::string_view from = "203.0.113.5:5000") {
    auto c = client(from);
    relayed = allocate(c).relayed.at(0);
    return c;
  }
  static std::uint16_t first_word(Bytes bytes) { return wire::load_be16(bytes.data()); }
  Endpoint relayed;
};

TEST_F(TurnChannel, C123_bind_missing_attr_400) {
  auto c = ready();
  const auto attributes = [](bool number, bool peer) {
    return [=](MessageWriter& writer) {
      if (number) writer.add_channel_number(0x4000);
      if (peer) writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.8.8:1"));
    };
  };
  EXPECT_EQ(ask(c, Method::kChannelBind, attributes(false, true)).error, 400);
  EXPECT_EQ(ask(c, Method::kChannelBind, attributes(true, false)).error, 400);
  EXPECT_EQ(ask(c, Method::kChannelBind, attributes(false, false)).error, 400);
  EXPECT_EQ(ask(c, Method::kChannelBind,
                [](MessageWriter& writer) {
                  writer.add_empty(Attribute::kChannelNumber);
                  writer.add_xor_address(Attribute::kXorPeerAddress, endpoint("8.8.8.8:1"));
                })
                .error,
            400);
  EXPECT_EQ(ask(c, Method::kChannelBind,
                [](MessageWriter& writer) {
                  writer.add_channel_number(0x4000);
                  writer.add_u32(Attribute::kXorPeerAddress, 0x00010000);
                })
                .error,
            400);
  EXPECT_EQ(bind(c, 0x4000, "8.8.8.8:0").error, 400);
  EXPECT_TRUE(ask(c, Method::kChannelBind, attributes(true, true)).ok());
}

TEST_F(TurnChannel, C124_bind_range) {
  auto c = ready();
  for (const int number : {0x0000, 0x3FFF, 0x5000, 0x7FFF, 0x8000, 0xFFFF}) {
    EXPECT_EQ(bind(c, static_cast<std::uint16_t>(number), "8.8.8.8:1").error, 400) << number;
  }
  EXPECT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  EXPECT_TRUE(bind(c, 0x4FFF, "8.8.8.8:2").ok());
}

TEST_F(TurnChannel, C124_bind_range_of_rfc5766) {
  config.rfc5766_channels = true;
  auto c = ready();
  EXPECT_TRUE(bind(c, 0x5000, "8.8.8.8:1").ok());
  EXPECT_TRUE(bind(c, 0x7FFF, "8.8.8.8:2").ok());
  EXPECT_EQ(bind(c, 0x8000, "8.8.8.8:3").error, 400);
  EXPECT_TRUE(send_channel(c, 0x7FFF));
}

TEST_F(TurnChannel, C125_bind_number_other_peer_400) {
  auto c = ready();
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  EXPECT_EQ(bind(c, 0x4000, "8.8.8.8:2").error, 400);
  EXPECT_EQ(bind(c, 0x4000, "8.8.4.4:1").error, 400);
}

TEST_F(TurnChannel, C126_bind_peer_other_number_400) {
  auto c = ready();
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  EXPECT_EQ(bind(c, 0x4001, "8.8.8.8:1").error, 400);
  ASSERT_TRUE(bind(c, 0x4001, "8.8.8.8:2").ok());
  EXPECT_EQ(bind(c, 0x4001, "8.8.8.8:1").error, 400);  // both are bound, to each other's
}

TEST_F(TurnChannel, C127_bind_same_pair_refreshes) {
  auto c = ready();
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  const auto first = only<InstallChannel>();
  advance(seconds(400));
  ASSERT_TRUE(refresh(c).ok());
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  const auto second = only<InstallChannel>();
  EXPECT_EQ(second->channel, first->channel);
  EXPECT_EQ(second->deadline, now + seconds(600));
  advance(seconds(599));
  EXPECT_TRUE(send_channel(c, 0x4000));
}

TEST_F(TurnChannel, C128_bind_family_443) {
  auto c = ready();
  EXPECT_EQ(bind(c, 0x4000, "[2a00::1]:1").error, 443);
}

TEST_F(TurnChannel, C129_bind_forbidden_403) {
  config.service_endpoints.push_back(ServerEndpoint(endpoint("198.51.100.10:50000")));
  auto c = ready();
  EXPECT_EQ(bind(c, 0x4000, "10.0.0.1:1").error, 403);
  EXPECT_EQ(bind(c, 0x4000, "198.51.100.1:3478").error, 403);    // ourselves
  EXPECT_EQ(bind(c, 0x4000, "198.51.100.10:22").error, 403);     // a relay address, outside the relay range
  EXPECT_EQ(bind(c, 0x4000, "198.51.100.10:50000").error, 403);  // a service inside the range
  EXPECT_TRUE(bind(c, 0x4000, "198.51.100.10:50001").ok());
}

TEST_F(TurnChannel, C130_bind_teredo_6to4_refused) {
  ASSERT_TRUE(config.policy.allow("2001::/32"));  // the RFC leaves the operator no choice
  ASSERT_TRUE(config.policy.allow("2002::/16"));
  auto c = client();
  allocate(c, [](MessageWriter& writer) {
    writer.add_address_family(Attribute::kRequestedAddressFamily, Family::kIpv6);
  });
  for (const char* each : {"[2001::1]:1", "[2001:0:ffff::1]:1", "[2002::1]:1", "[2002:808:808::1]:1"}) {
    EXPECT_EQ(bind(c, 0x4000, each).error, 403) << each;
    EXPECT_EQ(permit(c, {each}).error, 403) << each;
  }
  EXPECT_TRUE(bind(c, 0x4000, "[2001:4860::1]:1").ok());
}

TEST_F(TurnChannel, C131_bind_capacity_508) {
  config.max_channels_per_allocation = 2;
  config.max_channels = 3;
  auto a = ready("203.0.113.5:5000");
  auto b = ready("203.0.113.5:5001");
  ASSERT_TRUE(bind(a, 0x4000, "8.8.8.8:1").ok());
  ASSERT_TRUE(bind(a, 0x4001, "8.8.8.8:2").ok());
  EXPECT_EQ(bind(a, 0x4002, "8.8.8.8:3").error, 508);
  EXPECT_TRUE(all<InstallPermission>().empty());
  ASSERT_TRUE(bind(b, 0x4000, "8.8.8.8:1").ok());
  EXPECT_EQ(bind(b, 0x4001, "8.8.8.8:2").error, 508);
  EXPECT_TRUE(bind(a, 0x4001, "8.8.8.8:2").ok());  // a rebind needs no room
  EXPECT_EQ(server().counters().full_peers, 1u);
  EXPECT_EQ(server().counters().full_channels, 1u);
}

TEST_F(TurnChannel, C132_bind_installs_permission) {
  auto c = ready();
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  ASSERT_EQ(all<InstallPermission>().size(), 1u);
  ASSERT_EQ(all<InstallChannel>().size(), 1u);
  const auto channel = all<InstallChannel>()[0];
  EXPECT_EQ(channel.relay, RelayEndpoint(relayed));
  EXPECT_EQ(channel.peer, peer("8.8.8.8:1"));
  EXPECT_EQ(channel.number, 0x4000);
  EXPECT_EQ(channel.deadline, now + seconds(600));
  EXPECT_EQ(channel.permission_deadline, now + seconds(300));
  EXPECT_TRUE(receive(relayed, "8.8.8.8:1"));
  EXPECT_TRUE(receive(relayed, "8.8.8.8:2"));
  EXPECT_TRUE(send(c, "8.8.8.8:2"));
}

TEST_F(TurnChannel, C133_channel_lifetime_600) {
  auto c = ready();
  ASSERT_TRUE(refresh(c, 3600).ok());
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  advance(std::chrono::milliseconds(599'999));
  EXPECT_TRUE(send_channel(c, 0x4000));
  now += std::chrono::milliseconds(1);
  EXPECT_FALSE(send_channel(c, 0x4000));
  c.nonce.clear();
  EXPECT_TRUE(bind(c, 0x4000, "8.8.4.4:2").ok());  // number and address are free, timeout or not
  EXPECT_TRUE(bind(c, 0x4001, "8.8.8.8:1").ok());
}

TEST_F(TurnChannel, C133_expiry_is_told_to_the_dataplane) {
  auto c = ready();
  refresh(c, 3600);
  bind(c, 0x4000, "8.8.8.8:1");
  advance(seconds(601));
  EXPECT_EQ(count_timed_out<RemoveChannel>(), 1u);
  EXPECT_EQ(count_timed_out<RemovePermission>(), 1u);
  EXPECT_EQ(server().counters().channels_expired, 1u);
}

TEST_F(TurnChannel, C134_channel_not_refreshed_by_data) {
  auto c = ready();
  refresh(c, 3600);
  bind(c, 0x4000, "8.8.8.8:1");
  for (int i = 0; i < 59; ++i) {
    advance(seconds(10));
    EXPECT_TRUE(send_channel(c, 0x4000));
  }
  advance(seconds(11));
  EXPECT_FALSE(send_channel(c, 0x4000));
}

TEST_F(TurnChannel, C135_channel_scope_allocation) {
  auto a = ready("203.0.113.5:5000");
  auto b = ready("203.0.113.5:5001");
  bind(a, 0x4000, "8.8.8.8:1");
  bind(b, 0x4000, "8.8.4.4:2");
  EXPECT_EQ(send_channel(a, 0x4000)->peer, peer("8.8.8.8:1"));
  EXPECT_EQ(send_channel(b, 0x4000)->peer, peer("8.8.4.4:2"));
}

TEST_F(TurnChannel, refreshed_permission_restates_every_channel_to_that_address) {
  auto c = ready();
  bind(c, 0x4000, "8.8.8.8:1");
  bind(c, 0x4001, "8.8.8.8:2");
  bind(c, 0x4002, "8.8.4.4:1");
  advance(seconds(100));
  ASSERT_TRUE(permit(c, {"8.8.8.8:7"}).ok());
  const auto channels = all<InstallChannel>();
  ASSERT_EQ(channels.size(), 2u);
  for (const auto& channel : channels) {
    EXPECT_EQ(channel.permission_deadline, now + seconds(300));
    EXPECT_EQ(channel.deadline, now + seconds(500));
  }
  ASSERT_TRUE(bind(c, 0x4000, "8.8.8.8:1").ok());
  EXPECT_EQ(all<InstallChannel>().size(), 2u);  // its neighbour too
}

TEST_F(TurnChannel, permission_made_anew_revives_the_channel) {
  auto c = ready();
  refresh(c, 3600);
  bind(c, 0x4000, "8.8.8.8:1");
  advance(seconds(400));
  EXPECT_FALSE(receive(relayed, "8.8.8.8:1"));
  ASSERT_TRUE(permit(c, {"8.8.8.8:7"}).ok());
  EXPECT_EQ(only<InstallChannel>()->permission_deadline, now + seconds(300));
  EXPECT_TRUE(receive(relayed, "8.8.8.8:1"));
}

TEST_F(TurnChannel, permission_may_follow_the_channel) {
  config.channel_permission_follows_channel = true;
  auto c = ready();
  refresh(c, 3600);
  bind(c, 0x4000, "8.8.8.8:1");
  EXPECT_EQ(only<InstallChannel>()->permission_deadline, now + seconds(600));
  advance(seconds(10));
  permit(c, {"8.8.8.8:1"});  // does not shorten it
  EXPECT_EQ(only<InstallPermission>()->deadline, now + seconds(590));
  advance(seconds(550));
  EXPECT_TRUE(receive(relayed, "8.8.8.8:1"));
}

}  // namespace
}  // namespace turnpike::turn
