// SPDX-License-Identifier: BSD-3-Clause
// Fragments in, fragments out, and packets too big to go on.
#include <map>

#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

class Fragments : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    install_channel("10.0.2.2:5000", 0x4001);
    install_channel("[fd00:2::2]:5000", 0x4002, 1);
  }
  void set_mtu(std::uint16_t hop, std::uint16_t mtu) {
    shm::NextHop fact;
    fact.index = hop;
    fact.port = hop - 1;
    fact.mtu = mtu;
    fact.resolved = 1;
    command(shm::Command::kSetNextHop, fact);
  }
  static ByteVector pattern(std::size_t size) {
    ByteVector data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 17 + (i >> 8));
    return data;
  }
  // The datagram of `frame` in pieces of `step` bytes.
  static std::vector<ByteVector> cut(const UdpFrame& frame, std::size_t step) {
    const ByteVector udp = udp_datagram(frame);
    std::vector<ByteVector> pieces;
    for (std::size_t at = 0; at < udp.size(); at += step) {
      const std::size_t size = std::min(step, udp.size() - at);
      const bool more = at + size < udp.size();
      ByteVector part(udp.begin() + static_cast<std::ptrdiff_t>(at),
                      udp.begin() + static_cast<std::ptrdiff_t>(at + size));
      if (frame.source.address.is_v4()) {
        const auto field = static_cast<std::uint16_t>(at / 8 | (more ? wire::Ipv4Header::kMoreFragments : 0));
        pieces.push_back(
            joined({link_header(frame), ip_header(frame, wire::kProtocolUdp, size, field), part}));
      } else {
        const wire::Ipv6FragmentHeader header{wire::kProtocolUdp, 0,
                                              wire::Be16(static_cast<std::uint16_t>(at | (more ? 1 : 0))),
                                              wire::Be32(frame.identification)};
        ByteVector extension;
        append(extension, &header, sizeof header);
        pieces.push_back(joined(
            {link_header(frame), ip_header(frame, wire::kNextHeaderFragment, size + 8), extension, part}));
      }
    }
    return pieces;
  }
  // Puts sent IP fragments together again; checks header checksums, offsets, sizes against `mtu`.
  static ByteVector join(const std::vector<ByteVector>& frames, std::size_t mtu) {
    std::map<std::size_t, ByteVector> parts;
    std::size_t total = 0;
    for (const ByteVector& frame : frames) {
      EXPECT_LE(frame.size() - 14, mtu);
      const std::uint8_t* ip = frame.data() + 14;
      const bool v4 = (ip[0] >> 4) == 4;
      const auto field = v4 ? wire::load_be16(ip + 6) : wire::load_be16(ip + 42);
      const std::size_t offset = v4 ? (field & 0x1FFF) * 8u : field & 0xFFF8u;
      const bool more = v4 ? (field & 0x2000) != 0 : (field & 1) != 0;
      if (v4) {
        EXPECT_EQ(wire::sum(Bytes(ip, 20)).fold(), 0xFFFF);
      } else {
        EXPECT_EQ(ip[6], wire::kNextHeaderFragment);
        EXPECT_EQ(ip[40], wire::kProtocolUdp);
      }
      const std::size_t start = 14 + (v4 ? 20 : 48);
      parts[offset] = ByteVector(frame.begin() + static_cast<std::ptrdiff_t>(start), frame.end());
      if (!more) total = offset + parts[offset].size();
    }
    ByteVector whole;
    for (const auto& [offset, part] : parts) {
      EXPECT_EQ(offset, whole.size());
      whole.insert(whole.end(), part.begin(), part.end());
    }
    EXPECT_EQ(whole.size(), total);
    return whole;
  }
  static ByteVector payload_of(const ByteVector& udp) { return {udp.begin() + 8, udp.end()}; }
};

TEST_F(Fragments, C174_frag_reassembly) {
  const ByteVector data = pattern(1400);
  UdpFrame client = from_client(channel_data(0x4001, data));
  client.identification = 77;
  auto pieces = cut(client, 512);
  std::swap(pieces.front(), pieces.back());  // in any order
  receive_all(pieces);
  EXPECT_EQ(only(1).payload, data);
  UdpFrame peer = from_peer(data, "[fd00:2::2]:5000");
  peer.identification = 78;
  receive_all(cut(peer, 256), 1);
  EXPECT_EQ(only(0).payload, channel_data(0x4002, data));
  EXPECT_EQ(counter(Counter::k_fragments_reassembled), 2u);
}

TEST_F(Fragments, C152_payload_unmodified_up_to_the_documented_limit) {
  // librte_ip_frag of Debian keeps RTE_LIBRTE_IP_FRAG_MAX_FRAG = 8 pieces of a datagram.
  const ByteVector data = pattern(8 * 1480 - 8);
  UdpFrame peer = from_peer(data);
  peer.identification = 9;
  receive_all(cut(peer, 1480), 1);
  EXPECT_EQ(payload_of(join(sent(0), 1500)), channel_data(0x4001, data));
  peer.payload = pattern(8 * 1480 + 1);
  receive_all(cut(peer, 1480), 1);
  EXPECT_TRUE(silent());
  EXPECT_GT(drops(DropReason::k_fragment_dropped), 0u);
}

TEST_F(Fragments, a_fragment_header_on_a_whole_datagram) {
  UdpFrame peer = from_peer(bytes_of("atomic"), "[fd00:2::2]:5000");
  receive_all(cut(peer, 9000), 1);
  EXPECT_EQ(only(0).payload, channel_data(0x4002, bytes_of("atomic")));
}

TEST_F(Fragments, C175_frag_reassembly_bounded) {
  // Datagrams that never become whole hold buffers for a while, not for ever, and not without limit.
  for (std::uint16_t id = 0; id < 1500; ++id) {
    UdpFrame client = from_client(channel_data(0x4001, pattern(1000)));
    client.identification = id;
    receive(cut(client, 512)[0]);
  }
  EXPECT_TRUE(silent());
  EXPECT_LE(mbufs_in_use(), 4u * 256u);
  EXPECT_GT(drops(DropReason::k_fragment_dropped), 0u);
}

TEST_F(Fragments, overlapping_fragments_are_never_delivered) {
  UdpFrame client = from_client(channel_data(0x4001, pattern(1000)));
  client.identification = 5;
  auto pieces = cut(client, 512);
  UdpFrame evil = client;
  evil.payload = channel_data(0x4001, ByteVector(1000, 0xEE));
  auto others = cut(evil, 256);  // its second piece overlaps the first of ours
  receive(pieces[0]);
  receive(others[1]);
  receive(pieces[1]);
  for (const ByteVector& frame : sent(1)) {
    const auto out = parse_frame(frame);
    ASSERT_TRUE(out.has_value());
    EXPECT_EQ(out->payload, pattern(1000));
  }
}

TEST_F(Fragments, C176_frag_output) {
  const ByteVector data = pattern(1472);  // a full packet; four bytes more do not fit
  UdpFrame peer = from_peer(data);
  peer.dont_fragment = false;
  receive(build(peer), 1);
  ASSERT_EQ(sent(0).size(), 2u);
  EXPECT_EQ(payload_of(join(sent(0), 1500)), channel_data(0x4001, data));
  EXPECT_EQ(counter(Counter::k_fragments_sent), 2u);
}

TEST_F(Fragments, C177_frag_too_big_reported) {
  UdpFrame peer = from_peer(pattern(1472));
  peer.dont_fragment = true;
  const ByteVector frame = build(peer);
  receive(frame, 1);
  EXPECT_TRUE(sent(0).empty());
  EXPECT_EQ(drops(DropReason::k_too_big), 1u);
  ASSERT_EQ(sent(1).size(), 1u);
  const ByteVector& icmp = sent(1)[0];
  EXPECT_EQ(icmp[14 + 9], wire::kProtocolIcmp);
  EXPECT_EQ(icmp[34], 3);
  EXPECT_EQ(icmp[35], 4);
  EXPECT_EQ(wire::load_be32(icmp.data() + 38), 1500u - 48u);  // RFC 8656 section 13
  EXPECT_EQ(wire::sum(Bytes(icmp).subspan(34)).fold(), 0xFFFF);
  EXPECT_EQ(ByteVector(icmp.begin() + 42, icmp.end()),
            ByteVector(frame.begin() + 14, frame.begin() + 14 + 28));
  // IPv6 without Fragment header: packet too big.
  receive(build(from_peer(pattern(1452), "[fd00:2::2]:5000")), 1);
  set_mtu(1, 1400);
  receive(build(from_peer(pattern(1452), "[fd00:2::2]:5000")), 1);
  ASSERT_EQ(sent(1).size(), 1u);
  const ByteVector& six = sent(1)[0];
  EXPECT_EQ(six[14 + 6], wire::kNextHeaderIcmpv6);
  EXPECT_EQ(six[54], 2);
  EXPECT_EQ(wire::load_be32(six.data() + 58), 1400u + 20u - 48u);
  const wire::ChecksumSum pseudo = wire::ChecksumSum()
                                       .add(Bytes(six).subspan(22, 32))
                                       .add(wire::Be16(static_cast<std::uint16_t>(six.size() - 54)))
                                       .add(wire::Be16(wire::kNextHeaderIcmpv6));
  EXPECT_EQ(wire::ChecksumSum(pseudo).add(Bytes(six).subspan(54)).fold(), 0xFFFF);
}

TEST_F(Fragments, C177_reports_are_rate_limited) {
  UdpFrame peer = from_peer(pattern(1472));
  peer.dont_fragment = true;
  receive_all(std::vector<ByteVector>(30, build(peer)), 1);
  EXPECT_EQ(sent(1).size(), 8u);
}

TEST_F(Fragments, C178_frag_v6_1280) {
  shm::AllocationFact six = allocation();
  six.allocation = {1, 1};
  six.client = endpoint("[fd00:1::2]:40000");
  six.server = endpoint("[fd00:1::1]:3478");
  six.relay_v4 = {};
  six.relay_v6.port = 50002;
  command(shm::Command::kInstallAllocation, six, ++seq_);
  shm::ChannelFact bound = channel("[fd00:2::2]:6000", 0x4005, 6);
  bound.allocation = {1, 1};
  bound.relay = six.relay_v6;
  command(shm::Command::kInstallChannel, bound, ++seq_);
  const ByteVector data = pattern(3000);
  UdpFrame peer = from_peer(data, "[fd00:2::2]:6000");
  peer.destination = six.relay_v6;
  peer.identification = 3;
  receive_all(cut(peer, 1408), 1);
  ASSERT_EQ(sent(0).size(), 3u);
  EXPECT_EQ(payload_of(join(sent(0), 1280)), channel_data(0x4005, data));
}

TEST_F(Fragments, xlat_v4_to_v6_without_df_is_cut_to_1280) {
  const ByteVector data = pattern(1400);
  receive(build(from_client(channel_data(0x4002, data))));
  ASSERT_EQ(sent(1).size(), 2u);
  EXPECT_EQ(payload_of(join(sent(1), 1280)), data);
  UdpFrame strict = from_client(channel_data(0x4002, data));
  strict.dont_fragment = true;
  receive(build(strict));
  EXPECT_EQ(only(1).payload, data);  // fits the link whole
}

}  // namespace
}  // namespace turnpike::test
