// SPDX-License-Identifier: BSD-3-Clause
// rtnetlink messages, built by hand, to records.
#include "control/netlink/parse.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cstring>
#include <random>

#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control::netlink {
namespace {

using test::ip;
using test::mac;

class Message {
public:
  template <typename Body>
  Body& begin(std::uint16_t type) {
    mnl_nlmsg_put_header(bytes_)->nlmsg_type = type;
    return *static_cast<Body*>(mnl_nlmsg_put_extra_header(header(), sizeof(Body)));
  }
  void put(std::uint16_t type, const IpAddress& address) {
    mnl_attr_put(header(), type, address.size(), address.bytes.data());
  }
  void put(std::uint16_t type, const MacAddress& address) {
    mnl_attr_put(header(), type, address.size(), address.data());
  }
  void put(std::uint16_t type, std::uint32_t number) { mnl_attr_put_u32(header(), type, number); }
  void put(std::uint16_t type, const char* text) { mnl_attr_put_strz(header(), type, text); }
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }

private:
  alignas(8) char bytes_[2048] = {};
};

Message vlan_link(const char* kind, std::uint16_t protocol) {
  Message message;
  message.begin<ifinfomsg>(RTM_NEWLINK).ifi_index = 7;
  message.put(IFLA_LINK, 3u);
  nlattr* info = mnl_attr_nest_start(message.header(), IFLA_LINKINFO);
  message.put(IFLA_INFO_KIND, kind);
  nlattr* data = mnl_attr_nest_start(message.header(), IFLA_INFO_DATA);
  mnl_attr_put_u16(message.header(), IFLA_VLAN_ID, 100);
  mnl_attr_put_u16(message.header(), IFLA_VLAN_PROTOCOL, htons(protocol));
  mnl_attr_nest_end(message.header(), data);
  mnl_attr_nest_end(message.header(), info);
  return message;
}

TEST(NetlinkParse, link) {
  Message message;
  auto& body = message.begin<ifinfomsg>(RTM_NEWLINK);
  body.ifi_index = 3;
  body.ifi_flags = IFF_UP | IFF_RUNNING;
  message.put(IFLA_IFNAME, "eth0");
  message.put(IFLA_ADDRESS, mac(9));
  message.put(IFLA_MTU, 9000u);
  message.put(IFLA_LINK, 5u);  // the other end of a veth
  const auto link = parse_link(message.header());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->ifindex, 3u);
  EXPECT_EQ(link->name, "eth0");
  EXPECT_EQ(link->mac, mac(9));
  EXPECT_EQ(link->mtu, 9000);
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->parent, 0u) << "only VLAN devices lie on top of another";
}

TEST(NetlinkParse, vlan_devices) {
  const auto customer = parse_link(vlan_link("vlan", ETH_P_8021Q).header());
  ASSERT_TRUE(customer);
  EXPECT_EQ(customer->vlan, 100);
  EXPECT_EQ(customer->parent, 3u);
  EXPECT_FALSE(customer->service_tag);
  EXPECT_TRUE(parse_link(vlan_link("vlan", ETH_P_8021AD).header())->service_tag);
  EXPECT_EQ(parse_link(vlan_link("macvlan", ETH_P_8021Q).header())->vlan, 0);
}

TEST(NetlinkParse, a_huge_mtu_and_a_strange_mac) {
  Message message;
  message.begin<ifinfomsg>(RTM_NEWLINK).ifi_index = 1;
  message.put(IFLA_MTU, 65536u);
  message.put(IFLA_ADDRESS, ip("fd00::1"));  // 16 bytes, as InfiniBand has 20
  const auto link = parse_link(message.header());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->mtu, 65535);
  EXPECT_EQ(link->mac, MacAddress{});
}

TEST(NetlinkParse, addresses) {
  Message message;
  auto& body = message.begin<ifaddrmsg>(RTM_NEWADDR);
  body.ifa_family = AF_INET;
  body.ifa_index = 4;
  body.ifa_prefixlen = 24;
  body.ifa_scope = RT_SCOPE_UNIVERSE;
  message.put(IFA_ADDRESS, ip("10.0.0.2"));  // the other end
  message.put(IFA_LOCAL, ip("10.0.0.1"));
  EXPECT_EQ(parse_address(message.header()), (InterfaceAddress{4, ip("10.0.0.1"), 24, false}));

  body.ifa_prefixlen = 33;
  EXPECT_FALSE(parse_address(message.header()));

  Message link_local;
  auto& body6 = link_local.begin<ifaddrmsg>(RTM_NEWADDR);
  body6.ifa_family = AF_INET6;
  body6.ifa_scope = RT_SCOPE_LINK;
  link_local.put(IFA_ADDRESS, ip("fe80::1"));
  EXPECT_TRUE(parse_address(link_local.header())->link_local);
}

TEST(NetlinkParse, neighbour_states) {
  const struct {
    std::uint16_t state;
    bool has_mac;
    NeighbourState expected;
  } cases[] = {
      {NUD_REACHABLE, true, NeighbourState::kUsable},   {NUD_PERMANENT, true, NeighbourState::kUsable},
      {NUD_DELAY, true, NeighbourState::kUsable},       {NUD_PROBE, true, NeighbourState::kUsable},
      {NUD_STALE, true, NeighbourState::kStale},        {NUD_INCOMPLETE, false, NeighbourState::kUnknown},
      {NUD_FAILED, false, NeighbourState::kFailed},     {NUD_FAILED, true, NeighbourState::kFailed},
      {NUD_REACHABLE, false, NeighbourState::kUnknown},
  };
  for (const auto& [state, has_mac, expected] : cases) {
    Message message;
    auto& body = message.begin<ndmsg>(RTM_NEWNEIGH);
    body.ndm_family = AF_INET;
    body.ndm_ifindex = 3;
    body.ndm_state = state;
    message.put(NDA_DST, ip("10.0.0.9"));
    if (has_mac) message.put(NDA_LLADDR, mac(9));
    const auto record = parse_neighbour(message.header());
    ASSERT_TRUE(record);
    EXPECT_EQ(record->neighbour.state, expected) << state;
    EXPECT_EQ(record->address, ip("10.0.0.9"));
    EXPECT_EQ(record->ifindex, 3u);
  }
}

TEST(NetlinkParse, routes) {
  Message on_link;
  auto& body = on_link.begin<rtmsg>(RTM_NEWROUTE);
  body.rtm_family = AF_INET;
  body.rtm_type = RTN_UNICAST;
  on_link.put(RTA_OIF, 3u);
  const auto direct = parse_route(on_link.header());
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct->ifindex, 3u);
  EXPECT_EQ(direct->gateway.family, wire::Family::kNone);
  EXPECT_FALSE(direct->local);

  on_link.put(RTA_GATEWAY, ip("10.0.0.254"));
  EXPECT_EQ(parse_route(on_link.header())->gateway, ip("10.0.0.254"));
  body.rtm_type = RTN_LOCAL;
  EXPECT_TRUE(parse_route(on_link.header())->local);
  body.rtm_type = RTN_UNREACHABLE;
  EXPECT_FALSE(parse_route(on_link.header()));
}

TEST(NetlinkParse, gateway_of_the_other_family) {
  Message message;
  auto& body = message.begin<rtmsg>(RTM_NEWROUTE);
  body.rtm_family = AF_INET;
  body.rtm_type = RTN_UNICAST;
  message.put(RTA_OIF, 3u);
  char via[18] = {};
  const std::uint16_t family = AF_INET6;
  std::memcpy(via, &family, sizeof family);
  std::memcpy(via + 2, ip("fe80::1").bytes.data(), 16);
  mnl_attr_put(message.header(), RTA_VIA, sizeof via, via);
  EXPECT_EQ(parse_route(message.header())->gateway, ip("fe80::1"));
}

TEST(NetlinkParse, cut_and_garbled_messages_are_survived) {
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    Message message = vlan_link("vlan", ETH_P_8021Q);
    nlmsghdr* header = message.header();
    auto* bytes = reinterpret_cast<char*>(header);
    const std::uint32_t size = header->nlmsg_len;
    for (int flips = 0; flips < 4; ++flips) bytes[16 + random() % (size - 16)] = static_cast<char>(random());
    header->nlmsg_type = static_cast<std::uint16_t>(RTM_NEWLINK + random() % 20);
    header->nlmsg_len = 16 + random() % (size - 15);
    parse_link(header);
    parse_address(header);
    parse_neighbour(header);
    parse_route(header);
  }
}

}  // namespace
}  // namespace turnpike::control::netlink
