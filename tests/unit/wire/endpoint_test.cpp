// SPDX-License-Identifier: BSD-3-Clause
// Text forms, equality and hashes of addresses.
#include "common/wire/endpoint.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace turnpike::wire {
namespace {

TEST(Endpoint, text_round_trip) {
  for (const char* text :
       {"192.0.2.1:3478", "0.0.0.0:0", "255.255.255.255:65535", "[2001:db8::1]:3478", "[::]:1"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(to_string(*endpoint), text);
  }
}

TEST(Endpoint, bad_text_is_refused) {
  for (const char* text :
       {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:1 ",
        "192.0.2.256:1", "[192.0.2.1]:1", "2001:db8::1:3478", "[2001:db8::1]", "[2001:db8::1:1", "host:1",
        "[fe80::1%eth0]:1"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
  EXPECT_FALSE(parse_address("[::1]"));
  EXPECT_FALSE(parse_address("1.2.3"));
}

TEST(Endpoint, mapped_address_stays_ipv6) {
  const auto mapped = parse_address("::ffff:192.0.2.1");
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(mapped->is_v6());
  EXPECT_NE(*mapped, *parse_address("192.0.2.1"));
}

TEST(Endpoint, v4_forms_agree_and_leave_the_tail_zero) {
  const std::uint8_t four[] = {192, 0, 2, 1};
  EXPECT_EQ(IpAddress::v4_bytes(four), IpAddress::v4(0xC0000201));
  for (std::size_t i = 4; i < 16; ++i) EXPECT_EQ(IpAddress::v4_bytes(four).bytes[i], 0);
  EXPECT_EQ(to_string(IpAddress()), "none");
}

TEST(Endpoint, equality_and_hash_see_every_field) {
  const Endpoint base = *parse_endpoint("192.0.2.1:1000");
  std::unordered_set<Endpoint> set{base};
  for (const char* text : {"192.0.2.1:1001", "192.0.2.2:1000", "[c000:201::]:1000"}) {
    EXPECT_NE(*parse_endpoint(text), base);
    EXPECT_NE(hash_value(*parse_endpoint(text), 7), hash_value(base, 7));
    EXPECT_FALSE(set.contains(*parse_endpoint(text)));
  }
  EXPECT_NE(hash_value(base, 7), hash_value(base, 8));
  EXPECT_TRUE(set.contains(base));
}

TEST(Endpoint, roles_do_not_convert_into_each_other) {
  static_assert(!std::is_convertible_v<ClientEndpoint, PeerEndpoint>);
  static_assert(!std::is_convertible_v<Endpoint, PeerEndpoint>);
  static_assert(std::is_convertible_v<PeerEndpoint, Endpoint>);
  const ClientEndpoint client(*parse_endpoint("192.0.2.1:1000"));
  EXPECT_EQ(to_string(client), "192.0.2.1:1000");
}

}  // namespace
}  // namespace turnpike::wire
