// SPDX-License-Identifier: BSD-3-Clause
#include "common/wire/mac_address.hpp"

#include <gtest/gtest.h>

namespace turnpike::wire {
namespace {

TEST(MacAddress, only_unicast_addresses) {
  const auto mac = parse_mac("aa:BB:0c:1D:e2:f3");
  ASSERT_TRUE(mac) << mac.error();
  EXPECT_EQ(to_string(*mac), "aa:bb:0c:1d:e2:f3");
  for (const char* text :
       {"", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "aa-bb-cc-dd-ee-ff", "01:00:5e:00:00:01",
        "00:00:00:00:00:00", "gg:00:00:00:00:00", "a:b:c:d:e:f0123456"}) {
    EXPECT_FALSE(parse_mac(text)) << text;
  }
}

}  // namespace
}  // namespace turnpike::wire
