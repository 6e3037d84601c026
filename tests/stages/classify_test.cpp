// SPDX-License-Identifier: BSD-3-Clause
// L2 to L4: what is accepted, what goes to the kernel side, what is dropped and why.
#include <rte_ring.h>

#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class Classify : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    install_channel("10.0.2.2:5000", 0x4001);
  }
  ByteVector good() const { return build(from_client(channel_data(0x4001, bytes_of("hello")))); }
};

TEST_F(Classify, C001_udp_sanity) {
  const std::size_t ip = 14;
  const std::size_t udp = ip + 20;
  struct Case {
    std::size_t offset;
    std::uint8_t value;
    DropReason reason;
    bool fix_header;
  };
  const Case cases[] = {
      {ip, 0x35, DropReason::k_ipv4_malformed, false},         // version 3
      {ip, 0x44, DropReason::k_ipv4_malformed, false},         // header of 16 bytes
      {ip, 0x4F, DropReason::k_ipv4_malformed, false},         // header longer than the packet
      {ip + 2, 0x10, DropReason::k_ipv4_malformed, true},      // total length beyond the frame
      {ip + 3, 0x10, DropReason::k_ipv4_malformed, true},      // total length below the header
      {ip + 10, 0x00, DropReason::k_ipv4_checksum, false},     // header checksum
      {udp + 4, 0x10, DropReason::k_udp_malformed, false},     // UDP length beyond the packet
      {udp + 5, 0x07, DropReason::k_udp_malformed, false},     // UDP length below its header
      {ip + 12, 0x7F, DropReason::k_ip_source_invalid, true},  // 127/8
      {ip + 12, 0xE0, DropReason::k_ip_source_invalid, true},  // multicast
      {ip + 12, 0x00, DropReason::k_ip_source_invalid, true},  // 0/8
  };
  for (const Case& c : cases) {
    ByteVector frame = good();
    frame[c.offset] = c.value;
    if (c.fix_header) {
      auto& header = *reinterpret_cast<wire::Ipv4Header*>(frame.data() + ip);
      header.checksum = {};
      header.checksum = wire::ipv4_header_checksum(header);
    }
    const std::uint64_t before = drops(c.reason);
    receive(frame);
    EXPECT_TRUE(silent()) << c.offset;
    EXPECT_EQ(drops(c.reason), before + 1) << c.offset;
  }
  UdpFrame zero = from_client(channel_data(0x4001, bytes_of("x")));
  zero.checksum = UdpFrame::Checksum::kZero;
  receive(build(zero));
  EXPECT_EQ(only(1).payload, bytes_of("x"));  // legal over IPv4, and never left zero
  install_channel("[fd00:2::2]:5000", 0x4002, 1);
  UdpFrame peer = from_peer(bytes_of("x"), "[fd00:2::2]:5000");
  peer.checksum = UdpFrame::Checksum::kZero;
  receive(build(peer), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_udp_checksum_zero_ipv6), 1u);
}

TEST_F(Classify, every_truncation_and_every_flipped_bit_is_survived) {
  const ByteVector frame = good();
  for (std::size_t size = 0; size < frame.size(); ++size) {
    receive(ByteVector(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_TRUE(silent()) << size;
  }
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    ByteVector flipped = frame;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    receive(flipped);
  }
  const ByteVector six = build(from_peer(bytes_of("hello"), "[fd00:2::2]:5000"));
  for (std::size_t size = 0; size < six.size(); ++size) {
    receive(ByteVector(six.begin(), six.begin() + static_cast<std::ptrdiff_t>(size)), 1);
    EXPECT_TRUE(silent()) << size;
  }
  receive(frame);
  EXPECT_EQ(only(1).payload, bytes_of("hello"));  // nothing else was disturbed
}

TEST_F(Classify, link_layer_padding_is_not_payload) {
  ByteVector frame = build(from_peer(bytes_of("x")));
  frame.resize(60, 0xEE);
  receive(frame, 1);
  EXPECT_EQ(only(0).payload, channel_data(0x4001, bytes_of("x")));
}

TEST_F(Classify, C004_demux_reserved_dropped) {
  for (int first = 0; first < 256; ++first) {
    if (first <= 3 || (first >= 20 && first <= 127)) continue;
    receive(build(from_client({static_cast<std::uint8_t>(first), 0, 0, 0})));
    EXPECT_TRUE(silent());
  }
  EXPECT_EQ(drops(DropReason::k_first_byte_reserved), 16u + 128u);
  receive(build(from_client({})));
  EXPECT_EQ(drops(DropReason::k_first_byte_reserved), 16u + 128u + 1u);
}

TEST_F(Classify, C003_demux_dtls_without_a_kernel_side_is_dropped) {
  receive(build(from_client({22, 0xFE, 0xFD, 0})));
  EXPECT_EQ(drops(DropReason::k_dtls_not_served), 1u);
}

TEST_F(Classify, what_is_not_relay_traffic_goes_to_the_kernel_side_whole) {
  rte_ring* to_host = rte_ring_create("to_host", 64, SOCKET_ID_ANY, RING_F_SC_DEQ);
  ASSERT_NE(to_host, nullptr);
  captured_[0]->host.to_host = to_host;
  ByteVector arp(42, 0);
  std::fill_n(arp.begin(), 6, 0xFF);
  arp[12] = 0x08;
  arp[13] = 0x06;
  UdpFrame dns = from_client(bytes_of("query"));
  dns.destination.port = 53;
  UdpFrame elsewhere = from_client(bytes_of("x"));
  elsewhere.destination = endpoint("10.9.9.9:3478");
  ByteVector tcp = build(from_client(bytes_of("xxxxxxxxxxxxxxxxxxxxxxxx")));
  tcp[23] = 6;
  auto& header = *reinterpret_cast<wire::Ipv4Header*>(tcp.data() + 14);
  header.checksum = {};
  header.checksum = wire::ipv4_header_checksum(header);
  const std::vector<ByteVector> frames{
      arp, build(dns), build(elsewhere), tcp,
      build(from_client({22, 0xFE, 0xFD, 0}))};  // DTLS is served there later
  receive_all(frames);
  EXPECT_TRUE(silent());
  for (const ByteVector& frame : frames) {
    void* item = nullptr;
    ASSERT_EQ(rte_ring_dequeue(to_host, &item), 0);
    auto* mbuf = static_cast<rte_mbuf*>(item);
    const auto* data = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
    EXPECT_EQ(ByteVector(data, data + mbuf->data_len), frame);
    rte_pktmbuf_free(mbuf);
  }
  EXPECT_EQ(counter(Counter::k_host_tx), 5u);
  captured_[0]->host.to_host = nullptr;
  rte_ring_free(to_host);
  receive(arp);
  EXPECT_EQ(drops(DropReason::k_no_host_path), 1u);
}

TEST_F(Classify, ipv4_mapped_sources_are_no_alias_of_ipv4) {
  UdpFrame frame = from_peer(bytes_of("x"), "[::ffff:10.0.2.2]:5000");
  frame.destination = relay_v6_;
  receive(build(frame), 1);
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_ip_source_invalid), 1u);
}

TEST_F(Classify, source_port_zero_is_dropped) {
  UdpFrame frame = from_client(channel_data(0x4001, bytes_of("x")));
  frame.source.port = 0;
  receive(build(frame));
  EXPECT_EQ(drops(DropReason::k_source_port_zero), 1u);
}

TEST_F(Classify, multi_segment_frames_are_joined) {
  const ByteVector frame = good();
  rte_mbuf* head = rte_pktmbuf_alloc(pool_);
  rte_mbuf* tail = rte_pktmbuf_alloc(pool_);
  std::memcpy(rte_pktmbuf_append(head, 30), frame.data(), 30);
  const auto rest = static_cast<std::uint16_t>(frame.size() - 30);
  std::memcpy(rte_pktmbuf_append(tail, rest), frame.data() + 30, rest);
  rte_pktmbuf_chain(head, tail);
  captured_[0]->waiting.push_back(head);
  dataplane::process(worker_->lcore, {&head, 1});
  receive_all({});
  EXPECT_EQ(only(1).payload, bytes_of("hello"));
  captured_[0]->waiting.clear();
}

}  // namespace
}  // namespace turnpike::test
