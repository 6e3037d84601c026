// SPDX-License-Identifier: BSD-3-Clause
// --next-hop.
#include "control/relay/static_next_hop.hpp"

#include <gtest/gtest.h>

#include "common/wire/mac_address.hpp"

namespace turnpike::control {
namespace {

TEST(StaticNextHop, all_parts) {
  const auto hop = StaticNextHop::parse("10.1.0.0/16,port=1,mac=02:00:00:00:0a:01,vlan=12,mtu=9000");
  ASSERT_TRUE(hop) << hop.error();
  EXPECT_EQ(hop->prefix_length, 16);
  EXPECT_TRUE(hop->range.contains(*wire::parse_address("10.1.255.1")));
  EXPECT_FALSE(hop->range.contains(*wire::parse_address("10.2.0.1")));
  EXPECT_EQ(hop->port, "1");
  EXPECT_EQ(wire::to_string(hop->mac), "02:00:00:00:0a:01");
  EXPECT_EQ(hop->vlan, 12);
  EXPECT_EQ(hop->mtu, 9000);
}

TEST(StaticNextHop, single_address_and_port_text_with_commas) {
  const auto hop = StaticNextHop::parse("fd00::1,port=memif:/run/a.sock,role=server,mac=02:00:00:00:00:01");
  ASSERT_TRUE(hop) << hop.error();
  EXPECT_EQ(hop->prefix_length, 128);
  EXPECT_EQ(hop->port, "memif:/run/a.sock,role=server");
}

TEST(StaticNextHop, bad_ones_are_refused) {
  for (const char* text :
       {"", "10.0.0.0/8", "10.0.0.0/8,port=0", "10.0.0.0/8,mac=02:00:00:00:00:01",
        "10.0.0.0/33,port=0,mac=02:00:00:00:00:01", "10.0.0.1-10.0.0.2,port=0,mac=02:00:00:00:00:01",
        "x,port=0,mac=02:00:00:00:00:01", "10.0.0.0/8,port=0,mac=02:00:00:00:00:01,vlan=0",
        "10.0.0.0/8,port=0,mac=02:00:00:00:00:01,vlan=4095",
        "10.0.0.0/8,port=0,mac=02:00:00:00:00:01,mtu=100",
        "10.0.0.0/8,speed=1,port=0,mac=02:00:00:00:00:01"}) {
    EXPECT_FALSE(StaticNextHop::parse(text)) << text;
  }
}

}  // namespace
}  // namespace turnpike::control
