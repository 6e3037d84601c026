// SPDX-License-Identifier: BSD-3-Clause
// Who is denied by overlapping ranges, against the plain rule: the smallest range decides.
#include "common/wire/address_filter.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace turnpike::wire {
namespace {

IpAddress ip(std::string_view text) { return parse_address(text).value(); }

AddressFilter filter(std::vector<std::string_view> denied, std::vector<std::string_view> allowed = {}) {
  std::vector<AddressFilter::Rule> rules;
  for (const auto text : denied) rules.push_back({*AddressRange::parse(text), true});
  for (const auto text : allowed) rules.push_back({*AddressRange::parse(text), false});
  return AddressFilter(rules);
}

TEST(AddressFilter, without_rules_nobody_is_denied) {
  EXPECT_TRUE(AddressFilter().is_empty());
  EXPECT_FALSE(AddressFilter().denies(ip("192.0.2.1")));
  EXPECT_FALSE(filter({"0.0.0.0/0", "::/0"}).denies(IpAddress{}));
  EXPECT_TRUE(filter({}, {"10.0.0.0/8"}).is_empty()) << "an allowance alone denies nobody";
}

TEST(AddressFilter, the_ends_of_a_range_belong_to_it) {
  const auto some = filter({"192.0.2.16-192.0.2.31", "2001:db8::/64"});
  for (const char* denied : {"192.0.2.16", "192.0.2.31", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"})
    EXPECT_TRUE(some.denies(ip(denied))) << denied;
  for (const char* allowed : {"192.0.2.15", "192.0.2.32", "2001:db7:ffff::", "2001:db8:0:1::"})
    EXPECT_FALSE(some.denies(ip(allowed))) << allowed;
}

TEST(AddressFilter, everybody_but_some) {
  const auto most = filter({"0.0.0.0/0", "::/0"}, {"10.0.0.0/8", "fd00::/8"});
  for (const char* denied : {"0.0.0.0", "9.255.255.255", "11.0.0.0", "255.255.255.255",
                             "::", "fe00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
    EXPECT_TRUE(most.denies(ip(denied))) << denied;
  for (const char* allowed : {"10.0.0.0", "10.255.255.255", "fd00::", "fdff::1"})
    EXPECT_FALSE(most.denies(ip(allowed))) << allowed;
}

TEST(AddressFilter, families_do_not_mix) {
  EXPECT_FALSE(filter({"0.0.0.0/0"}).denies(ip("::")));
  EXPECT_FALSE(filter({"::/0"}).denies(ip("0.0.0.0")));
  EXPECT_FALSE(filter({"1.2.3.0/24"}).denies(ip("102:300::")));
}

TEST(AddressFilter, of_equal_ranges_the_denial_counts) {
  EXPECT_TRUE(filter({"10.0.0.1"}, {"10.0.0.1/32"}).denies(ip("10.0.0.1")));
}

TEST(AddressFilter, agrees_with_the_rule_on_random_ranges) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 200; ++round) {
    std::vector<AddressFilter::Rule> rules;
    for (unsigned i = random() % 8; i > 0; --i) {
      const std::uint32_t first = 0xC0000200U + random() % 32;
      const std::uint32_t last = first + random() % 12;
      rules.push_back({{IpAddress::v4(first), IpAddress::v4(last)}, random() % 2 == 0});
    }
    const AddressFilter made(rules);
    for (std::uint32_t number = 0xC0000200U - 2; number < 0xC0000200U + 48; ++number) {
      const IpAddress address = IpAddress::v4(number);
      std::optional<std::pair<std::uint32_t, bool>> decisive;  // width, allowed
      for (const auto& rule : rules) {
        if (!rule.range.contains(address)) continue;
        std::uint32_t width = 0;
        while (rule.range.contains(IpAddress::v4(number + width))) ++width;
        std::uint32_t before = 0;
        while (rule.range.contains(IpAddress::v4(number - before))) ++before;
        const std::pair found{width + before, !rule.denied};
        if (!decisive || found < *decisive) decisive = found;
      }
      EXPECT_EQ(made.denies(address), decisive && !decisive->second) << to_string(address);
    }
  }
}

}  // namespace
}  // namespace turnpike::wire
