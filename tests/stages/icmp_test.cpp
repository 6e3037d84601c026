// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about relayed packets, told to the client.
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class IcmpErrors : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    install_permission("10.0.2.2");
    command(shm::Command::kInstallPermission, permission("fd00:2::2", 1), ++seq_);
  }

  // The packet that we sent to the peer, as a router quotes it: IP header and `bytes` more.
  static ByteVector quote(const wire::Endpoint& from, const char* to, std::size_t bytes = 8) {
    UdpFrame sent;
    sent.source = from;
    sent.destination = endpoint(to);
    sent.payload = bytes_of("some payload that was too big");
    const ByteVector udp = udp_datagram(sent);
    ByteVector packet = joined({ip_header(sent, wire::kProtocolUdp, udp.size()), udp});
    packet.resize((from.address.is_v4() ? 20 : 40) + bytes);
    return packet;
  }
  UdpFrame router(bool v4) const {
    UdpFrame frame;
    frame.source = endpoint(v4 ? "10.0.2.254:0" : "[fd00:2::fe]:0");
    frame.destination = v4 ? relay_v4_ : relay_v6_;
    return frame;
  }
  void expect_indication(const char* peer, std::uint8_t type, std::uint8_t code, std::uint32_t data) {
    const ByteVector message = only(0).payload;
    const auto view = stun::MessageView::parse(Bytes(message));
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->type(), 0x0017);
    EXPECT_EQ(stun::decode_xor_address(view->find(stun::Attribute::kXorPeerAddress).value(),
                                       view->transaction_id()),
              endpoint(peer));
    EXPECT_FALSE(view->has(stun::Attribute::kData));
    const Bytes icmp = view->find(stun::Attribute::kIcmp).value();
    ASSERT_EQ(icmp.size(), 8u);
    EXPECT_EQ(icmp[2], type);
    EXPECT_EQ(icmp[3], code);
    EXPECT_EQ(wire::load_be32(icmp.data() + 4), data);
  }
};

TEST_F(IcmpErrors, C162_icmp_data_indication_and_C163_icmp_error_data) {
  install_channel("10.0.2.2:5000", 0x4001);  // a Data indication all the same
  receive(build_icmp(router(true), 3, 4, 1400, quote(relay_v4_, "10.0.2.2:5000")), 1);
  expect_indication("10.0.2.2:5000", 3, 4, 1400);
  receive(build_icmp(router(true), 3, 3, 0xFFFF, quote(relay_v4_, "10.0.2.2:5000")), 1);
  expect_indication("10.0.2.2:5000", 3, 3, 0);
  receive(build_icmp(router(false), 2, 0, 1280, quote(relay_v6_, "[fd00:2::2]:5000")), 1);
  expect_indication("[fd00:2::2]:5000", 2, 0, 1280);
  EXPECT_EQ(counter(Counter::k_icmp_to_client), 3u);
}

TEST_F(IcmpErrors, C159_icmp_types) {
  for (std::uint8_t type : {3, 11}) {
    receive(build_icmp(router(true), type, 0, 0, quote(relay_v4_, "10.0.2.2:5000")), 1);
    expect_indication("10.0.2.2:5000", type, 0, 0);
  }
  for (std::uint8_t type : {1, 2, 3}) {
    receive(build_icmp(router(false), type, 0, 0, quote(relay_v6_, "[fd00:2::2]:5000")), 1);
    expect_indication("[fd00:2::2]:5000", type, 0, 0);
  }
  receive(build_icmp(router(true), 12, 0, 0, quote(relay_v4_, "10.0.2.2:5000")), 1);
  EXPECT_TRUE(silent());
  receive(build_icmp(router(false), 4, 0, 0, quote(relay_v6_, "[fd00:2::2]:5000")), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_icmp_type), 2u);
  receive(build_icmp(router(true), 8, 0, 0, {}), 1);  // echo request: not ours
  EXPECT_EQ(drops(DropReason::k_no_host_path), 1u);
}

TEST_F(IcmpErrors, C160_icmp_quote_checked) {
  for (std::size_t bytes = 0; bytes < 8; ++bytes) {
    receive(build_icmp(router(true), 3, 4, 1400, quote(relay_v4_, "10.0.2.2:5000", bytes)), 1);
    EXPECT_TRUE(silent());
  }
  ByteVector short_quote = quote(relay_v4_, "10.0.2.2:5000");
  for (std::size_t bytes = 0; bytes < 20; ++bytes) {
    short_quote.resize(bytes);
    receive(build_icmp(router(true), 3, 4, 1400, short_quote), 1);
    EXPECT_TRUE(silent());
  }
  ByteVector tcp = quote(relay_v4_, "10.0.2.2:5000");
  tcp[9] = 6;
  receive(build_icmp(router(true), 3, 4, 1400, tcp), 1);
  wire::Endpoint dead = relay_v4_;
  dead.port = 51000;
  receive(build_icmp(router(true), 3, 4, 1400, quote(dead, "10.0.2.2:5000")), 1);
  EXPECT_EQ(drops(DropReason::k_icmp_not_relayed), 1u);
  ByteVector damaged = build_icmp(router(true), 3, 4, 1400, quote(relay_v4_, "10.0.2.2:5000"));
  damaged.back() ^= 1;
  const std::uint64_t before = drops(DropReason::k_icmp_malformed);
  EXPECT_EQ(before, 8u + 20u + 1u);  // every cut quote and the TCP one
  receive(damaged, 1);
  EXPECT_EQ(drops(DropReason::k_icmp_malformed), before + 1);
  EXPECT_TRUE(silent());
}

TEST_F(IcmpErrors, C161_icmp_permission_on_quoted_destination) {
  receive(build_icmp(router(true), 3, 4, 1400, quote(relay_v4_, "10.0.2.9:5000")), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_icmp_no_permission), 1u);
  UdpFrame stranger = router(true);
  stranger.source = endpoint("192.0.2.77:0");  // any router on the way may complain
  receive(build_icmp(stranger, 3, 4, 1400, quote(relay_v4_, "10.0.2.2:5000")), 1);
  expect_indication("10.0.2.2:5000", 3, 4, 1400);
}

TEST_F(IcmpErrors, errors_of_one_allocation_are_rate_limited) {
  const std::vector<ByteVector> flood(
      20, build_icmp(router(true), 3, 4, 1400, quote(relay_v4_, "10.0.2.2:5000")));
  receive_all(flood, 1);
  EXPECT_EQ(sent(0).size(), 8u);
  EXPECT_EQ(drops(DropReason::k_icmp_rate), 12u);
  advance(2);
  receive_all(flood, 1);
  EXPECT_EQ(sent(0).size(), 8u);
}

}  // namespace
}  // namespace turnpike::test
