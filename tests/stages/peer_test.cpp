// SPDX-License-Identifier: BSD-3-Clause
// Datagrams from peers: ChannelData, Data indications, permissions and their deadlines.
#include "common/stun/attributes.hpp"
#include "common/stun/message_view.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

struct DataIndication {
  wire::Endpoint peer;
  ByteVector data;
};

DataIndication read_data(const ByteVector& message) {
  DataIndication result;
  const auto view = stun::MessageView::parse(Bytes(message));
  EXPECT_TRUE(view.has_value());
  if (!view) return result;
  EXPECT_EQ(view->type(), stun::encode_type(stun::Method::kData, stun::MessageClass::kIndication));
  EXPECT_FALSE(view->has_fingerprint());
  const auto peer = view->find(stun::Attribute::kXorPeerAddress);
  const auto data = view->find(stun::Attribute::kData);
  EXPECT_TRUE(peer && data);
  if (!peer || !data) return result;
  result.peer = stun::decode_xor_address(*peer, view->transaction_id()).value();
  result.data.assign(data->begin(), data->end());
  return result;
}

class PeerData : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
  }
};

TEST_F(PeerData, C144_peer_no_permission_dropped) {
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_no_permission), 1u);
  UdpFrame nowhere = from_peer(bytes_of("x"));
  nowhere.destination.port = 51000;
  receive(build(nowhere), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_no_allocation), 1u);
}

TEST_F(PeerData, C145_peer_data_indication) {
  install_permission("10.0.2.2");
  receive(build(from_peer(bytes_of("hello"))), 1);
  const UdpFrame out = only(0);
  EXPECT_EQ(out.source, server_);
  EXPECT_EQ(out.destination, client_);
  const DataIndication data = read_data(out.payload);
  EXPECT_EQ(data.peer, endpoint("10.0.2.2:5000"));
  EXPECT_EQ(data.data, bytes_of("hello"));
  EXPECT_EQ(counter(Counter::k_peer_to_data), 1u);
  EXPECT_EQ(region_->allocation(0, 0).to_client_bytes.load(), 5u);
}

TEST_F(PeerData, C119_permission_by_ip_only) {
  install_permission("10.0.2.2");
  for (const char* peer : {"10.0.2.2:1", "10.0.2.2:5001", "10.0.2.2:65535"}) {
    receive(build(from_peer(bytes_of("x"), peer)), 1);
    EXPECT_EQ(read_data(only(0).payload).peer, endpoint(peer));
  }
}

TEST_F(PeerData, C122_permission_scope) {
  install_permission("10.0.2.2");
  shm::AllocationFact second = allocation();
  second.allocation = {1, 1};
  second.client = endpoint("10.0.1.9:40000");
  second.relay_v4.port = 50002;
  second.relay_v6 = {};
  command(shm::Command::kInstallAllocation, second, ++seq_);
  UdpFrame frame = from_peer(bytes_of("x"));
  frame.destination = second.relay_v4;
  receive(build(frame), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_no_permission), 1u);
}

TEST_F(PeerData, C120_permission_lifetime_300) {
  install_permission("10.0.2.2");
  advance(299);
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_EQ(read_data(only(0).payload).data, bytes_of("x"));
  advance(2);
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_permission_expired), 1u);
}

TEST_F(PeerData, C121_permission_not_refreshed_by_data) {
  install_permission("10.0.2.2");
  for (int i = 0; i < 30; ++i) {
    advance(10);
    receive(build(from_peer(bytes_of("x"))), 1);
    receive(build(from_client(send_indication(endpoint("10.0.2.2:5000"), bytes_of("y")))));
  }
  advance(1);
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_TRUE(silent());
}

TEST_F(PeerData, C146_peer_channel_data_when_bound) {
  install_permission("10.0.2.2");
  install_channel("10.0.2.2:5000", 0x4001);
  receive(build(from_peer(bytes_of("hello"))), 1);
  EXPECT_EQ(only(0).payload, channel_data(0x4001, bytes_of("hello")));
  EXPECT_EQ(counter(Counter::k_peer_to_channel), 1u);
  receive(build(from_peer(bytes_of("hello"), "10.0.2.2:5001")), 1);  // another port: not the channel's peer
  EXPECT_EQ(read_data(only(0).payload).peer, endpoint("10.0.2.2:5001"));
}

TEST_F(PeerData, C147_permission_gone_channel_alive) {
  install_permission("10.0.2.2");
  install_channel("10.0.2.2:5000", 0x4001);
  advance(301);
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_permission_expired), 1u);
  receive(build(from_client(channel_data(0x4001, bytes_of("y")))));
  EXPECT_EQ(only(1).payload, bytes_of("y"));
}

TEST_F(PeerData, C148_peer_expired_channel_uses_data) {
  install_channel("10.0.2.2:5000", 0x4001);
  advance(590);
  command(shm::Command::kInstallAllocation, allocation(600), ++seq_);
  install_permission("10.0.2.2");
  advance(11);
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_EQ(read_data(only(0).payload).data, bytes_of("x"));
}

TEST_F(PeerData, C149_peer_empty_datagram) {
  install_permission("10.0.2.2");
  receive(build(from_peer({})), 1);
  EXPECT_TRUE(read_data(only(0).payload).data.empty());
  install_channel("10.0.2.2:5000", 0x4001);
  receive(build(from_peer({})), 1);
  EXPECT_EQ(only(0).payload, channel_data(0x4001, {}));
}

TEST_F(PeerData, C005_no_demux_on_relay_port) {
  install_channel("10.0.2.2:5000", 0x4001);
  const ByteVector look_alikes[] = {channel_data(0x4001, bytes_of("inner")),
                                    send_indication(endpoint("10.0.2.2:5000"), bytes_of("inner")),
                                    {0x16, 0xFE, 0xFD, 0, 0},
                                    {0xFF}};
  for (const ByteVector& payload : look_alikes) {
    receive(build(from_peer(payload)), 1);
    EXPECT_EQ(only(0).payload, channel_data(0x4001, payload));
  }
}

TEST_F(PeerData, C152_payload_unmodified_towards_the_client) {
  install_permission("10.0.2.2");
  for (std::size_t size = 0; size <= 1420; size += size < 40 ? 1 : 53) {
    ByteVector data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 11 + size);
    receive(build(from_peer(data)), 1);
    const UdpFrame out = only(0);
    ASSERT_EQ(read_data(out.payload).data, data);
    ASSERT_EQ(out.payload.size() % 4, 0u);
    for (std::size_t i = 36 + size; i < out.payload.size(); ++i) EXPECT_EQ(out.payload[i], 0);  // padding
  }
}

TEST_F(PeerData, C105_data_does_not_refresh_allocation) {
  install_permission("10.0.2.2");
  command(shm::Command::kInstallAllocation, allocation(60), ++seq_);
  for (int i = 0; i < 6; ++i) {
    advance(10);
    receive(build(from_peer(bytes_of("x"))), 1);
  }
  advance(1);
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_TRUE(silent());
}

TEST_F(PeerData, C172_xlat_udp_checksum_and_C168_C169_from_ipv6_peer) {
  install_permission("fd00:2::2");
  UdpFrame frame = from_peer(bytes_of("hello"), "[fd00:2::2]:5000");
  frame.traffic_class = 0x2E;
  frame.ttl = 9;
  receive(build(frame), 1);
  const UdpFrame out = only(0);  // verifies the checksum
  EXPECT_EQ(out.destination, client_);
  EXPECT_EQ(out.traffic_class, 0x2E);
  EXPECT_EQ(out.ttl, 8);
  EXPECT_EQ(read_data(out.payload).peer, endpoint("[fd00:2::2]:5000"));
  install_channel("[fd00:2::2]:5000", 0x4003);
  receive(build(frame), 1);
  EXPECT_EQ(only(0).payload, channel_data(0x4003, bytes_of("hello")));
  receive(build(from_client(channel_data(0x4003, bytes_of("back")))));
  EXPECT_EQ(only(1).destination, endpoint("[fd00:2::2]:5000"));
  EXPECT_EQ(parse_frame(sent(1)[0])->payload, bytes_of("back"));
}

TEST_F(PeerData, C171_xlat_v6_to_v4_df_1260) {
  install_channel("[fd00:2::2]:5000", 0x4003);
  // IPv4 packet = 20 + 8 + 4 + data.
  receive(build(from_peer(ByteVector(1228), "[fd00:2::2]:5000")), 1);
  EXPECT_FALSE(only(0).dont_fragment);
  receive(build(from_peer(ByteVector(1229), "[fd00:2::2]:5000")), 1);
  EXPECT_TRUE(only(0).dont_fragment);
}

TEST_F(PeerData, C107_removed_facts_stop_relaying_at_once) {
  install_permission("10.0.2.2");
  install_channel("10.0.2.2:5000", 0x4001);
  command(shm::Command::kRemoveAllocation, shm::RemoveFact{{0, 1}, {0, 1}}, ++seq_);
  receive(build(from_peer(bytes_of("x"))), 1);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_relay_no_allocation), 1u);
  EXPECT_EQ(worker_->lcore.tables->size(), 0u);  // permissions and channels went with it
}

}  // namespace
}  // namespace turnpike::test
