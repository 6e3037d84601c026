// SPDX-License-Identifier: BSD-3-Clause
// One generator asks, another one answers.
#include "bench/load/neighbours.hpp"

#include <gtest/gtest.h>

#include "common/wire/checksum.hpp"

namespace turnpike::load {
namespace {

class NeighboursTest : public testing::TestWithParam<bool> {
protected:
  static Options options_of(const char* server, const char* client, const char* peer, std::uint8_t mac) {
    Options options;
    options.server = *wire::parse_endpoint(server);
    options.client_ip = *wire::parse_address(client);
    options.peer_ip = *wire::parse_address(peer);
    options.own_mac = {{2, 0, 0, 0, 0, mac}};
    options.sessions = 50'001;  // two addresses
    return options;
  }
  // Asks for the MAC of one of the other's addresses.
  Options asking_for(const char* v4, const char* v6) const {
    return GetParam() ? options_of((std::string(v4) + ":3478").c_str(), "10.0.9.1", "10.0.9.5", 7)
                      : options_of(("[" + std::string(v6) + "]:3478").c_str(), "fd00:9::1", "fd00:9::5", 7);
  }
  Options answering() const {
    return GetParam() ? options_of("10.0.9.1:3478", "10.0.1.2", "10.0.2.2", 2)
                      : options_of("[fd00:9::1]:3478", "fd00:1::2", "fd00:2::2", 2);
  }
};

TEST_P(NeighboursTest, every_own_address_has_the_own_mac) {
  const Options own = answering();
  for (const auto& [v4, v6] :
       {std::pair("10.0.1.2", "fd00:1::2"), {"10.0.1.3", "fd00:1::3"}, {"10.0.2.3", "fd00:2::3"}}) {
    const Options other = asking_for(v4, v6);
    const auto answer = Neighbours(own).answer(Neighbours(other).question());
    ASSERT_TRUE(answer) << v4;
    const auto mac = Neighbours(other).server_in(*answer);
    ASSERT_TRUE(mac);
    EXPECT_EQ(*mac, own.own_mac);
    EXPECT_EQ(0, std::memcmp(answer->data(), other.own_mac.bytes.data(), 6));
  }
}

TEST_P(NeighboursTest, nobody_else_is_answered_for) {
  const Options own = answering();
  for (const auto& [v4, v6] :
       {std::pair("10.0.1.1", "fd00:1::1"), {"10.0.1.4", "fd00:1::4"}, {"10.9.2.2", "fd00:22::2"}}) {
    EXPECT_FALSE(Neighbours(own).answer(Neighbours(asking_for(v4, v6)).question())) << v4;
  }
  const Options other = asking_for("10.0.1.2", "fd00:1::2");
  auto question = Neighbours(other).question();
  EXPECT_FALSE(Neighbours(other).server_in(question));
  while (!question.empty()) {
    question.pop_back();
    EXPECT_FALSE(Neighbours(own).answer(question));
  }
}

TEST_P(NeighboursTest, discovery_has_a_right_checksum) {
  if (GetParam()) return;
  const auto question = Neighbours(asking_for("10.0.1.2", "fd00:1::2")).question();
  const Bytes bytes(question);
  const auto sum = wire::ChecksumSum()
                       .add(bytes.subspan(14 + 8, 32))
                       .add(wire::Be16(32))
                       .add(wire::Be16(58))
                       .add(bytes.subspan(14 + 40));
  EXPECT_EQ(sum.fold(), 0xFFFF);
}

INSTANTIATE_TEST_SUITE_P(, NeighboursTest, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "arp" : "nd"; });

}  // namespace
}  // namespace turnpike::load
