// SPDX-License-Identifier: BSD-3-Clause
// ChannelData from clients to peers, with the IP fields of the outgoing packet.
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class ClientChannel : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    install_channel("10.0.2.2:5000", 0x4001);
  }
};

TEST_F(ClientChannel, C153_chan_relays_payload) {
  receive(build(from_client(channel_data(0x4001, bytes_of("hello")))));
  const UdpFrame out = only(1);
  EXPECT_EQ(out.source, relay_v4_);
  EXPECT_EQ(out.destination, endpoint("10.0.2.2:5000"));
  EXPECT_EQ(out.payload, bytes_of("hello"));
  EXPECT_EQ(out.destination_mac, (std::array<std::uint8_t, 6>{2, 0, 0, 0, 2, 2}));
  EXPECT_EQ(out.source_mac, (std::array<std::uint8_t, 6>{2, 0, 0, 0, 1, 2}));
  EXPECT_EQ(counter(Counter::k_channel_to_peer), 1u);
  const auto& traffic = region_->allocation(0, 0);
  EXPECT_EQ(traffic.to_peer_packets.load(), 1u);
  EXPECT_EQ(traffic.to_peer_bytes.load(), 5u);
  EXPECT_EQ(traffic.to_client_packets.load(), 0u);
}

TEST_F(ClientChannel, C154_chan_unusable_dropped) {
  receive(build(from_client(channel_data(0x4002, bytes_of("x")))));  // not bound
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_channel_unbound), 1u);
  receive(build(from_client(channel_data(0x5000, bytes_of("x")))));  // reserved in RFC 8656
  EXPECT_EQ(drops(DropReason::k_channel_unbound), 2u);
  UdpFrame stranger = from_client(channel_data(0x4001, bytes_of("x")));
  stranger.source.port = 40001;  // another 5-tuple
  receive(build(stranger));
  EXPECT_EQ(drops(DropReason::k_channel_unbound), 3u);
  EXPECT_TRUE(silent());
}

TEST_F(ClientChannel, C102_alloc_lookup_by_5tuple) {
  UdpFrame other = from_client(channel_data(0x4001, bytes_of("x")));
  other.source = endpoint("10.0.1.3:40000");
  receive(build(other));
  EXPECT_TRUE(silent());
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_EQ(only(1).payload, bytes_of("x"));
}

TEST_F(ClientChannel, C155_chan_short_datagram_dropped) {
  ByteVector message = channel_data(0x4001, bytes_of("hello"));
  message.pop_back();
  receive(build(from_client(message)));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_channel_short), 1u);
  receive(build(from_client({0x40, 0x01, 0x00})));
  EXPECT_EQ(drops(DropReason::k_channel_short), 2u);
}

TEST_F(ClientChannel, C156_chan_udp_surplus_ignored) {
  for (std::size_t size = 0; size < 9; ++size) {
    for (std::size_t surplus = 1; surplus < 6; ++surplus) {
      const ByteVector data(size, 0xA5);
      ByteVector message = channel_data(0x4001, data);
      for (std::size_t i = 0; i < surplus; ++i) message.push_back(static_cast<std::uint8_t>(0x31 + i));
      receive(build(from_client(message)));
      EXPECT_EQ(only(1).payload, data) << size << "+" << surplus;  // and only() verifies the checksum
    }
  }
  EXPECT_EQ(counter(Counter::k_checksum_recomputed), 0u);
}

TEST_F(ClientChannel, C157_chan_zero_length) {
  receive(build(from_client(channel_data(0x4001, {}))));
  EXPECT_TRUE(only(1).payload.empty());
}

TEST_F(ClientChannel, C133_channel_lifetime_600) {
  advance(599);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_EQ(only(1).payload, bytes_of("x"));
  advance(2);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_channel_expired), 1u);
}

TEST_F(ClientChannel, C134_channel_not_refreshed_by_data) {
  for (int i = 0; i < 60; ++i) {
    advance(10);
    receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  }
  advance(1);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
}

TEST_F(ClientChannel, C104_alloc_expiry_removes_all) {
  command(shm::Command::kInstallAllocation, allocation(100), ++seq_);  // shorter than its channel
  advance(101);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  receive(build(from_peer(bytes_of("x"))), 1);
  EXPECT_TRUE(silent());
}

TEST_F(ClientChannel, allocation_refresh_lifts_the_limit_on_its_channels) {
  command(shm::Command::kInstallAllocation, allocation(100), ++seq_);
  command(shm::Command::kInstallAllocation, allocation(600), ++seq_);
  advance(300);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_EQ(only(1).payload, bytes_of("x"));
}

TEST_F(ClientChannel, C164_ip_dscp_ecn_copied) {
  UdpFrame frame = from_client(channel_data(0x4001, bytes_of("x")));
  frame.traffic_class = 0xB9;  // EF, ECT(1)
  receive(build(frame));
  EXPECT_EQ(only(1).traffic_class, 0xB9);
}

TEST_F(ClientChannel, C165_ip_df_copied) {
  UdpFrame frame = from_client(channel_data(0x4001, bytes_of("x")));
  frame.dont_fragment = true;
  receive(build(frame));
  EXPECT_TRUE(only(1).dont_fragment);
  frame.dont_fragment = false;
  receive(build(frame));
  EXPECT_FALSE(only(1).dont_fragment);
}

TEST_F(ClientChannel, C166_ip_ttl_decremented) {
  UdpFrame frame = from_client(channel_data(0x4001, bytes_of("x")));
  frame.ttl = 7;
  receive(build(frame));
  EXPECT_EQ(only(1).ttl, 6);
  for (std::uint8_t ttl : {0, 1}) {
    frame.ttl = ttl;
    receive(build(frame));
    EXPECT_TRUE(silent());
  }
  EXPECT_EQ(drops(DropReason::k_ttl_expired), 2u);
}

TEST_F(ClientChannel, C167_ip_own_id_no_options) {
  UdpFrame frame = from_client(channel_data(0x4001, bytes_of("x")));
  frame.identification = 0x1234;
  receive(build(frame));
  const std::uint16_t first = only(1).identification;
  receive(build(frame));
  EXPECT_EQ(only(1).identification, static_cast<std::uint16_t>(first + 1));
  // Options come in, none go out: parse_frame refuses any header but one of 20 bytes.
  ByteVector bytes = build(frame);
  bytes.insert(bytes.begin() + 34, {1, 1, 1, 0});
  auto& ip = *reinterpret_cast<wire::Ipv4Header*>(bytes.data() + 14);
  ip.version_ihl = 0x46;
  ip.total_length = wire::Be16(ip.total_length.host() + 4);
  ip.checksum = {};
  ip.checksum = wire::ipv4_header_checksum(Bytes(bytes.data() + 14, 24));
  receive(bytes);
  EXPECT_EQ(only(1).payload, bytes_of("x"));
}

TEST_F(ClientChannel, C152_payload_unmodified) {
  for (std::size_t size = 0; size <= 1468; size += size < 40 ? 1 : 51) {
    ByteVector data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 7 + size);
    receive(build(from_client(channel_data(0x4001, data))));
    ASSERT_EQ(only(1).payload, data);
  }
}

TEST_F(ClientChannel, C135_channel_scope_allocation) {
  shm::AllocationFact second = allocation();
  second.allocation = {1, 1};
  second.client = endpoint("10.0.1.9:40000");
  second.relay_v4.port = 50002;
  second.relay_v6 = {};
  command(shm::Command::kInstallAllocation, second, ++seq_);
  shm::ChannelFact same_number = channel("10.0.2.9:9000", 0x4001, 5);
  same_number.allocation = {1, 1};
  same_number.relay = second.relay_v4;
  command(shm::Command::kInstallChannel, same_number, ++seq_);
  receive(build(from_client(channel_data(0x4001, bytes_of("first")))));
  EXPECT_EQ(only(1).destination, endpoint("10.0.2.2:5000"));
  UdpFrame other = from_client(channel_data(0x4001, bytes_of("second")));
  other.source = second.client;
  receive(build(other));
  EXPECT_EQ(only(1).destination, endpoint("10.0.2.9:9000"));
}

TEST_F(ClientChannel, vlan_of_the_next_hop_is_written) {
  shm::NextHop hop;
  hop.index = 2;
  hop.port = 1;
  hop.vlan = 42;
  hop.resolved = 1;
  command(shm::Command::kSetNextHop, hop);
  UdpFrame frame = from_client(channel_data(0x4001, bytes_of("x")));
  frame.vlans = {7};
  receive(build(frame));
  EXPECT_EQ(only(1).vlans, (std::vector<std::uint16_t>{42}));
  hop.outer_vlan = 100;
  command(shm::Command::kSetNextHop, hop);
  frame.vlans = {9, 7};
  receive(build(frame));
  EXPECT_EQ(only(1).vlans, (std::vector<std::uint16_t>{100, 42}));
}

TEST_F(ClientChannel, unresolved_next_hop_drops_and_counts) {
  shm::NextHop hop;
  hop.index = 2;
  hop.port = 1;
  command(shm::Command::kSetNextHop, hop);
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_next_hop_unresolved), 1u);
}

TEST_F(ClientChannel, full_transmit_queue_drops_and_counts) {
  captured_[1]->full = true;
  receive(build(from_client(channel_data(0x4001, bytes_of("x")))));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_tx_full), 1u);
}

TEST_F(ClientChannel, a_burst_keeps_its_order) {
  std::vector<ByteVector> frames;
  for (std::uint8_t i = 0; i < 70; ++i) frames.push_back(build(from_client(channel_data(0x4001, {i}))));
  receive_all(frames);
  ASSERT_EQ(sent(1).size() + drops(DropReason::k_tx_full), 70u);
  for (std::uint8_t i = 0; i < 70; ++i) EXPECT_EQ(parse_frame(sent(1)[i])->payload, ByteVector{i});
}

}  // namespace
}  // namespace turnpike::test
