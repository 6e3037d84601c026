// SPDX-License-Identifier: BSD-3-Clause
// Whatever the source, the checksums are right and nothing else has changed; sources stay within their
// number.
#include "bench/load/flood_frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "bench/load/flood_sources.hpp"

namespace turnpike::load {
namespace {

wire::Endpoint endpoint(const char* address, std::uint16_t port) {
  return {*wire::parse_address(address), 0, port};
}

Options flood_from(const char* client, std::uint32_t sources) {
  Options options;
  options.client_ip = *wire::parse_address(client);
  options.sources = sources;
  options.sessions = 4;
  return options;
}

struct Family {
  const char* server;
  const char* client;
};

class FloodFrames : public testing::TestWithParam<Family> {};

TEST_P(FloodFrames, any_source_has_right_checksums) {
  const std::vector<std::uint8_t> message{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 9};
  Options options = flood_from(GetParam().client, 1U << 20);
  const wire::Endpoint was = endpoint(GetParam().client, 10'000);
  const wire::Endpoint server = endpoint(GetParam().server, 3478);
  const FloodFrame made({options.own_mac, options.relay_mac, was, server, message});
  auto frame = made.bytes;
  FloodSources sources(options);
  for (int i = 0; i < 2000; ++i) {
    const wire::Endpoint source = sources.next();
    write_source(frame.data(), made.checksums, was, source);
    const auto arrival = parse_udp(frame);
    ASSERT_TRUE(arrival);
    ASSERT_TRUE(arrival->checksums_right) << to_string(source.address) << ' ' << source.port;
    ASSERT_EQ(arrival->source, source);
    ASSERT_EQ(arrival->destination, server);
    ASSERT_TRUE(std::ranges::equal(arrival->payload, message));
  }
}

INSTANTIATE_TEST_SUITE_P(, FloodFrames,
                         testing::Values(Family{"10.0.1.1", "10.1.255.250"},
                                         Family{"fd00:1::1", "fd00:1::ffff:fff0"}));

TEST(FloodSources, as_many_addresses_as_asked_for) {
  const Options options = flood_from("10.0.1.10", 20);
  FloodSources sources(options);
  std::set<std::string> seen;
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 1000; ++i) {
    const wire::Endpoint source = sources.next();
    seen.insert(to_string(source.address));
    ports.insert(source.port);
    EXPECT_GE(source.port, 1024);
    EXPECT_TRUE(is_flood_source(options, source.address));
  }
  EXPECT_EQ(seen.size(), 20U);
  EXPECT_GT(ports.size(), 900U);
  EXPECT_FALSE(is_flood_source(options, *wire::parse_address("10.0.1.30")));
  EXPECT_FALSE(is_flood_source(options, *wire::parse_address("10.0.1.9")));
}

TEST(FloodSources, without_a_number_the_clients) {
  Options options = flood_from("10.0.1.10", 0);
  options.first_port = 10'000;
  FloodSources sources(options);
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 100; ++i) {
    const wire::Endpoint source = sources.next();
    EXPECT_EQ(source.address, options.client_ip);
    ports.insert(source.port);
  }
  EXPECT_EQ(ports, (std::set<std::uint16_t>{10'000, 10'001, 10'002, 10'003}));
}

}  // namespace
}  // namespace turnpike::load
