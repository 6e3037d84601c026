// SPDX-License-Identifier: BSD-3-Clause
// Ranges, rules and embedded IPv4 addresses.
#include "common/turn/address_policy.hpp"

#include <gtest/gtest.h>

#include "common/turn/own_addresses.hpp"
#include "tests/support/stun_edit.hpp"

namespace turnpike::turn {
namespace {

using test::address;
using test::endpoint;

TEST(AddressRange, reads_three_spellings) {
  const auto one = AddressRange::parse("192.0.2.7");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->contains(address("192.0.2.7")));
  EXPECT_FALSE(one->contains(address("192.0.2.8")));

  const auto span = AddressRange::parse("192.0.2.7-192.0.3.1");
  ASSERT_TRUE(span);
  EXPECT_FALSE(span->contains(address("192.0.2.6")));
  EXPECT_TRUE(span->contains(address("192.0.2.255")));
  EXPECT_TRUE(span->contains(address("192.0.3.1")));
  EXPECT_FALSE(span->contains(address("192.0.3.2")));

  for (const auto& [text, first, last] : std::vector<std::array<const char*, 3>>{
           {"10.1.2.3/8", "10.0.0.0", "10.255.255.255"},
           {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
           {"192.0.2.7/32", "192.0.2.7", "192.0.2.7"},
           {"192.0.2.7/31", "192.0.2.6", "192.0.2.7"},
           {"2001:db8::1/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
           {"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}}) {
    const auto range = AddressRange::parse(text);
    ASSERT_TRUE(range) << text;
    EXPECT_EQ(range->first, address(first)) << text;
    EXPECT_EQ(range->last, address(last)) << text;
  }
}

TEST(AddressRange, families_do_not_mix) {
  EXPECT_FALSE(AddressRange::parse("0.0.0.0/0")->contains(address("::1")));
  EXPECT_FALSE(AddressRange::parse("::/0")->contains(address("1.2.3.4")));
}

TEST(AddressRange, says_what_is_wrong) {
  for (const char* text :
       {"", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/8x", "::/129", "1.2.3.4-",
        "-1.2.3.4", "1.2.3.4-1.2.3.3", "1.2.3.4-::1", "1.2.3.4 ", "example.org", "/8"}) {
    const auto range = AddressRange::parse(text);
    ASSERT_FALSE(range) << text;
    EXPECT_NE(range.error().find(std::string("\"") + text + "\""), std::string::npos) << range.error();
  }
}

TEST(AddressPolicy, C225_peer_policy_defaults) {
  const AddressPolicy policy;
  for (const char* denied : {"0.0.0.0",
                             "0.255.255.255",
                             "10.0.0.0",
                             "10.255.255.255",
                             "100.64.0.0",
                             "100.127.255.255",
                             "127.0.0.1",
                             "169.254.169.254",
                             "172.16.0.0",
                             "172.31.255.255",
                             "192.0.0.1",
                             "192.0.2.1",
                             "192.88.99.1",
                             "192.168.0.1",
                             "198.18.0.1",
                             "198.19.255.255",
                             "198.51.100.1",
                             "203.0.113.1",
                             "224.0.0.1",
                             "239.1.1.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::7f00:1",
                             "::ffff:1.1.1.1",
                             "64:ff9b::1.1.1.1",
                             "64:ff9b:1::1",
                             "100::1",
                             "2001::1",
                             "2001:db8::1",
                             "2002::1",
                             "fc00::1",
                             "fdff::1",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "ff02::1"}) {
    EXPECT_FALSE(policy.permits(address(denied))) << denied;
  }
  for (const char* allowed :
       {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "64:ff9c::1", "2001:1::1", "2003::1", "2a00::1", "100:0:0:1::1"}) {
    EXPECT_TRUE(policy.permits(address(allowed))) << allowed;
  }
}

TEST(AddressPolicy, allowed_beats_the_default_list) {
  AddressPolicy policy;
  ASSERT_TRUE(policy.allow("10.0.0.0/8"));
  EXPECT_EQ(policy.judge(address("10.1.1.1")), PolicyVerdict::kAllowed);
  EXPECT_EQ(policy.judge(address("192.168.1.1")), PolicyVerdict::kDeniedDefault);
  EXPECT_EQ(policy.judge(address("8.8.8.8")), PolicyVerdict::kNotListed);
}

TEST(AddressPolicy, smallest_range_decides_and_denial_wins_a_tie) {
  AddressPolicy policy;
  ASSERT_TRUE(policy.deny("0.0.0.0/0"));
  ASSERT_TRUE(policy.allow("8.0.0.0/8"));
  ASSERT_TRUE(policy.deny("8.8.0.0/16"));
  ASSERT_TRUE(policy.allow("8.8.8.8"));
  ASSERT_TRUE(policy.allow("9.9.9.9"));
  ASSERT_TRUE(policy.deny("9.9.9.9"));
  EXPECT_FALSE(policy.permits(address("1.1.1.1")));
  EXPECT_TRUE(policy.permits(address("8.1.1.1")));
  EXPECT_FALSE(policy.permits(address("8.8.4.4")));
  EXPECT_TRUE(policy.permits(address("8.8.8.8")));
  EXPECT_FALSE(policy.permits(address("9.9.9.9")));
  EXPECT_TRUE(policy.permits(address("2a00::1")));  // the IPv4 rules say nothing about it

  AddressPolicy other_order;  // the order of the options does not count
  ASSERT_TRUE(other_order.deny("9.9.9.9"));
  ASSERT_TRUE(other_order.allow("9.9.9.9"));
  EXPECT_FALSE(other_order.permits(address("9.9.9.9")));
}

TEST(AddressPolicy, embedded_ipv4_is_decoded) {
  for (const auto& [text, inside] : std::vector<std::pair<const char*, const char*>>{
           {"::ffff:10.1.2.3", "10.1.2.3"},
           {"::10.1.2.3", "10.1.2.3"},
           {"64:ff9b::10.1.2.3", "10.1.2.3"},
           {"64:ff9b:1::10.1.2.3", "10.1.2.3"},
           {"64:ff9b:1:ffff:a:102:300::", "10.1.2.3"},  // a /64, RFC 6052
           {"2002:a01:203::1", "10.1.2.3"},
           {"2001:0:0:0:0:0:f5fe:fdfc", "10.1.2.3"}}) {
    EXPECT_EQ(embedded_ipv4(address(text)), address(inside)) << text;
  }
  EXPECT_FALSE(embedded_ipv4(address("2a00::10.1.2.3")).is_v4());
  EXPECT_FALSE(embedded_ipv4(address("10.1.2.3")).is_v4());
}

TEST(AddressPolicy, both_sides_of_an_embedding_must_pass) {
  AddressPolicy policy;
  ASSERT_TRUE(policy.allow("64:ff9b::/96"));
  ASSERT_TRUE(policy.allow("64:ff9b:1::/48"));
  EXPECT_TRUE(policy.permits(address("64:ff9b::8.8.8.8")));
  EXPECT_FALSE(policy.permits(address("64:ff9b::10.0.0.1")));
  EXPECT_FALSE(policy.permits(address("64:ff9b::169.254.169.254")));
  EXPECT_FALSE(policy.permits(address("64:ff9b:1:ffff:a:102:300::")));
  EXPECT_FALSE(policy.permits(address("64:ff9b:1:a9fe:a9:fe00::")));  // a /48: refused as 0.0.0.0
  ASSERT_TRUE(policy.deny("8.8.8.8"));
  EXPECT_FALSE(policy.permits(address("64:ff9b::8.8.8.8")));
  ASSERT_TRUE(policy.allow("10.0.0.0/8"));
  EXPECT_TRUE(policy.permits(address("64:ff9b::10.0.0.1")));
  EXPECT_FALSE(policy.permits(address("::ffff:10.0.0.1")));  // the form itself is still denied
}

TEST(AddressPolicy, C130_teredo_and_6to4_never) {
  AddressPolicy policy;
  ASSERT_TRUE(policy.allow("::/0"));
  ASSERT_TRUE(policy.allow("0.0.0.0/0"));
  EXPECT_EQ(policy.judge(address("2001::1")), PolicyVerdict::kNever);
  EXPECT_EQ(policy.judge(address("2002:808:808::1")), PolicyVerdict::kNever);
  EXPECT_TRUE(policy.permits(address("2001:1::1")));
  EXPECT_TRUE(policy.permits(address("127.0.0.1")));  // the operator said everything
}

class OwnAddressesTest : public ::testing::Test {
protected:
  OwnAddresses own{
      {{address("10.0.0.7"), address("5.5.5.5")}, {address("2a00::7"), address("2a00::7")}},
      {50000, 59999},
      {wire::ServerEndpoint(endpoint("10.0.0.1:3478")), wire::ServerEndpoint(endpoint("10.0.0.7:50005")),
       wire::ServerEndpoint(endpoint("0.0.0.0:9100"))}};
  AddressPolicy policy;
  bool permits(std::string_view text) const { return own.permits(policy, endpoint(text)); }
};

TEST_F(OwnAddressesTest, relay_addresses_are_peers_in_both_forms) {
  EXPECT_TRUE(own.permits(policy, address("10.0.0.7")));
  EXPECT_TRUE(own.permits(policy, address("5.5.5.5")));
  EXPECT_FALSE(own.permits(policy, address("10.0.0.8")));
  EXPECT_EQ(own.inside(address("5.5.5.5")), address("10.0.0.7"));
  EXPECT_EQ(own.outside(address("10.0.0.7")), address("5.5.5.5"));
  EXPECT_EQ(own.inside(address("8.8.8.8")), address("8.8.8.8"));
  EXPECT_EQ(own.outside(address("5.5.5.5")), address("5.5.5.5"));
}

TEST_F(OwnAddressesTest, ports_of_relay_addresses) {
  for (const char* form : {"10.0.0.7", "5.5.5.5"}) {
    const std::string host(form);
    EXPECT_TRUE(permits(host + ":50000"));
    EXPECT_TRUE(permits(host + ":59999"));
    EXPECT_FALSE(permits(host + ":49999"));
    EXPECT_FALSE(permits(host + ":60000"));
    EXPECT_FALSE(permits(host + ":50005"));  // a service
    EXPECT_FALSE(permits(host + ":9100"));   // a service on every address
    EXPECT_FALSE(permits(host + ":0"));
  }
  EXPECT_TRUE(permits("8.8.8.8:22"));
  EXPECT_FALSE(permits("8.8.8.8:0"));
}

TEST_F(OwnAddressesTest, service_addresses_are_no_peers) {
  policy.allow(*AddressRange::parse("0.0.0.0/0"));
  EXPECT_FALSE(own.permits(policy, address("10.0.0.1")));
  EXPECT_FALSE(permits("10.0.0.1:3478"));
  EXPECT_FALSE(permits("10.0.0.1:5000"));
  EXPECT_TRUE(permits("10.0.0.2:3478"));
}

TEST_F(OwnAddressesTest, service_addresses_hide_in_no_embedding) {
  policy.allow(*AddressRange::parse("::/0"));
  policy.allow(*AddressRange::parse("0.0.0.0/0"));
  EXPECT_TRUE(permits("[64:ff9b::8.8.8.8]:3478"));
  EXPECT_FALSE(permits("[64:ff9b::10.0.0.1]:3478"));
  EXPECT_FALSE(permits("[::ffff:10.0.0.1]:3478"));
  EXPECT_FALSE(permits("[64:ff9b::10.0.0.7]:22"));
  EXPECT_FALSE(own.permits_port(policy, endpoint("[64:ff9b::10.0.0.7]:50005")));
  EXPECT_TRUE(own.permits_port(policy, endpoint("[64:ff9b::10.0.0.7]:50006")));
  EXPECT_FALSE(own.permits(policy, address("64:ff9b::10.0.0.1")));
}

TEST_F(OwnAddressesTest, an_operators_denial_counts_for_relay_addresses) {
  policy.deny(*AddressRange::parse("5.0.0.0/8"));
  EXPECT_FALSE(own.permits(policy, address("10.0.0.7")));
  EXPECT_FALSE(own.permits(policy, address("5.5.5.5")));
  EXPECT_TRUE(own.permits(policy, address("2a00::7")));
}

}  // namespace
}  // namespace turnpike::turn
