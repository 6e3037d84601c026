// SPDX-License-Identifier: BSD-3-Clause
// Two clients of one relay: what one relayed address sends to another comes back into the pipeline.
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class Hairpin : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    other_ = allocation();
    other_.allocation = {1, 1};
    other_.client = endpoint("10.0.1.9:41000");
    other_.relay_v4.port = 50002;
    other_.relay_v6.port = 50002;
    command(shm::Command::kInstallAllocation, other_, ++seq_);
  }
  shm::ChannelFact other_channel(const char* peer, std::uint16_t number, std::uint32_t index) {
    shm::ChannelFact fact = channel(peer, number, index);
    fact.allocation = {1, 1};
    fact.relay = fact.peer.address.is_v4() ? other_.relay_v4 : other_.relay_v6;
    return fact;
  }
  shm::AllocationFact other_;
};

TEST_F(Hairpin, C151_hairpin_same_server) {
  install_channel("10.0.2.1:50002", 0x4001);
  command(shm::Command::kInstallChannel, other_channel("10.0.2.1:50000", 0x4007, 9), ++seq_);
  receive(build(from_client(channel_data(0x4001, bytes_of("there")))));
  UdpFrame out = only(0);
  EXPECT_EQ(out.destination, other_.client);
  EXPECT_EQ(out.payload, channel_data(0x4007, bytes_of("there")));
  EXPECT_EQ(out.ttl, 62);
  UdpFrame back = from_client(channel_data(0x4007, bytes_of("and back")));
  back.source = other_.client;
  receive(build(back));
  out = only(0);
  EXPECT_EQ(out.destination, client_);
  EXPECT_EQ(out.payload, channel_data(0x4001, bytes_of("and back")));
  EXPECT_EQ(counter(Counter::k_hairpin), 2u);
}

TEST_F(Hairpin, between_families_and_by_indications) {
  command(shm::Command::kInstallPermission, permission("fd00:2::1", 3), ++seq_);
  shm::PermissionFact theirs = permission("fd00:2::1", 4);
  theirs.allocation = {1, 1};
  theirs.relay = other_.relay_v6;
  command(shm::Command::kInstallPermission, theirs, ++seq_);
  receive(build(from_client(send_indication(endpoint("[fd00:2::1]:50002"), bytes_of("hi")))));
  const ByteVector message = only(0).payload;
  const auto view = stun::MessageView::parse(Bytes(message));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(
      stun::decode_xor_address(view->find(stun::Attribute::kXorPeerAddress).value(), view->transaction_id()),
      relay_v6_);
}

TEST_F(Hairpin, the_permission_of_the_receiving_side_counts) {
  install_channel("10.0.2.1:50002", 0x4001);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_no_permission), 1u);
}

TEST_F(Hairpin, own_service_ports_are_never_a_peer) {
  command(shm::Command::kInstallPermission, permission("10.0.2.1", 3), ++seq_);
  for (const char* peer : {"10.0.2.1:22", "10.0.2.1:3478", "10.0.2.1:49151"}) {
    receive(build(from_client(send_indication(endpoint(peer), bytes_of("x")))));
    EXPECT_TRUE(silent());
  }
  EXPECT_EQ(drops(DropReason::k_peer_is_service), 3u);
  // Listening addresses: not even when a permission says so.
  command(shm::Command::kInstallPermission, permission("10.0.1.1", 4), ++seq_);
  receive(build(from_client(send_indication(endpoint("10.0.1.1:3478"), bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_peer_is_service), 4u);
  shm::ChannelFact service = channel("10.0.2.1:22", 0x4009, 8);
  command(shm::Command::kInstallChannel, service, ++seq_);
  EXPECT_EQ(counter(Counter::k_facts_refused), 1u);
}

TEST_F(Hairpin, clients_see_the_advertised_form_of_a_relayed_address) {
  shm::LocalAddress local;
  local.index = 2;
  local.address = address("10.0.2.1");
  local.advertised = address("198.51.100.7");
  local.relay_min = 49152;
  local.relay_max = 65535;
  command(shm::Command::kSetLocalAddress, local);
  command(shm::Command::kInstallPermission, permission("10.0.2.1", 3), ++seq_);
  shm::PermissionFact theirs = permission("10.0.2.1", 4);
  theirs.allocation = {1, 1};
  theirs.relay = other_.relay_v4;
  command(shm::Command::kInstallPermission, theirs, ++seq_);
  receive(build(from_client(send_indication(endpoint("198.51.100.7:50002"), bytes_of("hi")))));
  const ByteVector message = only(0).payload;
  const auto view = stun::MessageView::parse(Bytes(message));
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(
      stun::decode_xor_address(view->find(stun::Attribute::kXorPeerAddress).value(), view->transaction_id()),
      endpoint("198.51.100.7:50000"));
}

TEST_F(Hairpin, a_full_burst_of_hairpins) {
  install_channel("10.0.2.1:50002", 0x4001);
  command(shm::Command::kInstallChannel, other_channel("10.0.2.1:50000", 0x4007, 9), ++seq_);
  receive_all(std::vector<ByteVector>(96, build(from_client(channel_data(0x4001, bytes_of("x"))))));
  EXPECT_EQ(sent(0).size(), 96u);
  EXPECT_EQ(all_drops(), 0u);
}

}  // namespace
}  // namespace turnpike::test
