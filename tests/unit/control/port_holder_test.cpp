// SPDX-License-Identifier: BSD-3-Clause
// Listening endpoints held in the kernel, on loopback.
#include "control/runtime/port_holder.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace turnpike::control {
namespace {

wire::ServerEndpoint endpoint(const char* address, std::uint16_t port) {
  return wire::ServerEndpoint({*wire::parse_address(address), 0, port});
}

TEST(PortHolder, an_endpoint_in_use_is_refused_one_that_is_not_ours_left_out) {
  // A port that is free at the moment, taken by "another program".
  const UniqueFd other(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(other.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::uint16_t port = ntohs(address.sin_port);

  const wire::ServerEndpoint taken[] = {endpoint("127.0.0.1", port)};
  const auto refused = hold_endpoints(taken);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("127.0.0.1:" + std::to_string(port)), std::string::npos) << refused.error();

  const wire::ServerEndpoint mixed[] = {endpoint("127.0.0.2", port), endpoint("203.0.113.1", port)};
  const auto held = hold_endpoints(mixed);
  ASSERT_TRUE(held) << held.error();
  EXPECT_EQ(held->size(), 1u);
  EXPECT_FALSE(hold_endpoints(mixed)) << "held now";
}

TEST(PortHolder, threads_share_an_endpoint_that_nobody_else_has) {
  const auto probe = bind_udp({*wire::parse_address("127.0.0.1"), 0, 0}, "listening-port");
  ASSERT_TRUE(probe);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(probe->get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const wire::Endpoint at{*wire::parse_address("127.0.0.3"), 0, ntohs(address.sin_port)};
  const auto first = bind_udp(at, "listening-port", PortUse::kFirst);
  ASSERT_TRUE(first) << first.error();
  const auto other = bind_udp(at, "listening-port", PortUse::kOther);
  EXPECT_TRUE(other) << other.error();
  EXPECT_FALSE(bind_udp(at, "listening-port"));
  EXPECT_FALSE(bind_udp(at, "listening-port", PortUse::kFirst)) << "another control finds the port taken";
}

}  // namespace
}  // namespace turnpike::control
