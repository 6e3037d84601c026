// SPDX-License-Identifier: BSD-3-Clause
// Send indications from clients.
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class ClientSend : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    install_permission("10.0.2.2");
  }
};

TEST_F(ClientSend, C139_send_relays_payload) {
  for (std::size_t size = 0; size <= 1400; size += size < 20 ? 1 : 97) {
    ByteVector data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 13 + 1);
    receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), data))));
    const UdpFrame out = only(1);
    ASSERT_EQ(out.payload, data);
    EXPECT_EQ(out.source, relay_v4_);
    EXPECT_EQ(out.destination, endpoint("10.0.2.2:5000"));
  }
  EXPECT_EQ(counter(Counter::k_checksum_recomputed), 0u);
}

TEST_F(ClientSend, padding_of_any_content_stays_behind) {
  ByteVector message = send_indication(endpoint("10.0.2.2:5000"), bytes_of("hello"));
  message.back() = 0x7F;
  message[message.size() - 3] = 0x55;
  receive(build(from_client(message)));
  EXPECT_EQ(only(1).payload, bytes_of("hello"));
}

// Kernel sockets: other programs of the machine may be peers where the operator says so, control never.
TEST_F(ClientSend, ports_of_control_on_an_opened_own_address_are_no_peers) {
  worker_->lcore.kernel_sockets = true;
  worker_->lcore.locals.set_kernel_sockets(true);
  shm::LocalAddress local;
  local.address = server_.address;
  local.listener_port = kListen;
  local.local_peers = 1;
  local.services = {5349, 3500};
  command(shm::Command::kSetLocalAddress, local);
  command(shm::Command::kInstallPermission, permission("10.0.1.1", 4), ++seq_);
  for (const char* peer : {"10.0.1.1:3478", "10.0.1.1:5349", "10.0.1.1:3500"})
    receive(build(from_client(send_indication(endpoint(peer), bytes_of("x")))));
  EXPECT_EQ(drops(DropReason::k_peer_is_service), 3u);
  receive(build(from_client(send_indication(endpoint("10.0.1.1:9000"), bytes_of("x")))));
  EXPECT_EQ(drops(DropReason::k_peer_is_service), 3u);
}

TEST_F(ClientSend, C136_send_no_allocation_dropped) {
  UdpFrame stranger = from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x")));
  stranger.source.port = 40001;
  receive(build(stranger));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_send_no_allocation), 1u);
}

TEST_F(ClientSend, C137_send_no_permission_dropped) {
  receive(build(from_client(send_indication(endpoint("10.0.2.3:5000"), bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_send_no_permission), 1u);
  advance(301);
  receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_send_permission_expired), 1u);
}

TEST_F(ClientSend, C138_send_missing_peer_or_data_dropped_and_C143_send_never_answered) {
  const ByteVector good = send_indication(endpoint("10.0.2.2:5000"), bytes_of("data"));
  ByteVector no_data(good.begin(), good.begin() + 32);
  no_data[3] = 12;
  ByteVector no_peer(good.begin(), good.begin() + 20);
  no_peer.insert(no_peer.end(), good.begin() + 32, good.end());
  no_peer[3] = 8;
  ByteVector bad_family = good;
  bad_family[25] = 3;
  for (const ByteVector& message : {no_data, no_peer, bad_family}) {
    receive(build(from_client(message)));
    EXPECT_TRUE(silent());
  }
  EXPECT_EQ(drops(DropReason::k_send_malformed), 3u);
}

TEST_F(ClientSend, C230_habit_pjnath_keepalive) {
  // Send with an empty DATA and no peer, every 15 seconds.
  receive(build(from_client({0x00, 0x16, 0x00, 0x04, 0x21, 0x12, 0xA4, 0x42, 1,    2,    3,    4,
                             5,    6,    7,    8,    9,    10,   11,   12,   0x00, 0x13, 0x00, 0x00})));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_send_malformed), 1u);
}

TEST_F(ClientSend, C020_unknown_required_indication_dropped) {
  ByteVector message = send_indication(endpoint("10.0.2.2:5000"), bytes_of("data"));
  message.insert(message.end(), {0x7F, 0xF1, 0x00, 0x00});
  message[3] += 4;
  receive(build(from_client(message)));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_stun_unknown_attribute), 1u);
}

TEST_F(ClientSend, C140_send_dont_fragment_sets_df) {
  receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x"), true))));
  EXPECT_TRUE(only(1).dont_fragment);
  receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x")))));
  EXPECT_FALSE(only(1).dont_fragment);
}

TEST_F(ClientSend, C141_send_dont_fragment_ignored_cross_family) {
  install_permission("fd00:2::2");
  receive(build(from_client(send_indication(endpoint("[fd00:2::2]:5000"), bytes_of("x"), true))));
  const UdpFrame out = only(1);
  EXPECT_EQ(out.destination, endpoint("[fd00:2::2]:5000"));
  EXPECT_EQ(out.payload, bytes_of("x"));
}

TEST_F(ClientSend, C142_send_allowed_with_channel) {
  install_channel("10.0.2.2:5000", 0x4001);
  receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x")))));
  EXPECT_EQ(only(1).payload, bytes_of("x"));
}

TEST_F(ClientSend, port_zero_is_dropped) {
  receive(build(from_client(send_indication(endpoint("10.0.2.2:0"), bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_peer_port_zero), 1u);
}

TEST_F(ClientSend, family_without_relay_is_dropped) {
  shm::AllocationFact only_v4 = allocation();
  only_v4.relay_v6 = {};
  command(shm::Command::kInstallAllocation, only_v4, ++seq_);
  receive(build(from_client(send_indication(endpoint("[fd00:2::2]:5000"), bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_send_no_permission), 1u);
}

TEST_F(ClientSend, C103_traffic_right_behind_the_fact_is_relayed_in_the_same_burst) {
  std::vector<ByteVector> frames(
      40, build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("x")))));
  receive_all(frames);
  EXPECT_EQ(sent(1).size(), 40u);
  EXPECT_EQ(counter(Counter::k_send_to_peer), 40u);
}

}  // namespace
}  // namespace turnpike::test
