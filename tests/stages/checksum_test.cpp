// SPDX-License-Identifier: BSD-3-Clause
// UDP checksums on the way out: carried over, computed anew where the received one is absent or half done,
// and wrong where the received one was wrong, so that the receiver still detects the damage.
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

using Checksum = UdpFrame::Checksum;

class OutgoingChecksum : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    install_allocation();
    install_permission("10.0.2.2");
    install_permission_v6();
    install_channel("10.0.2.2:5000", 0x4001, 0);
    install_channel("[fd00:2::2]:5000", 0x4002, 1);
  }
  void install_permission_v6() {
    command(shm::Command::kInstallPermission, permission("fd00:2::2", 1), ++seq_);
  }

  // Every way through the relay for one received checksum; returns the frames that came out.
  std::vector<UdpFrame> all_ways(Checksum checksum, const ByteVector& data) {
    std::vector<UdpFrame> in{
        from_client(channel_data(0x4001, data)),
        from_client(channel_data(0x4002, data)),
        from_client(send_indication(endpoint("10.0.2.2:7000"), data)),
        from_client(send_indication(endpoint("[fd00:2::2]:7000"), data)),
        from_peer(data, "10.0.2.2:5000"),
        from_peer(data, "10.0.2.2:7000"),
        from_peer(data, "[fd00:2::2]:5000"),
        from_peer(data, "[fd00:2::2]:7000"),
    };
    std::vector<UdpFrame> out;
    for (UdpFrame& frame : in) {
      const bool v6 = frame.source.address.is_v6();
      if (v6 && checksum == Checksum::kZero) continue;
      frame.checksum = checksum;
      const bool client = frame.source == client_;
      receive(build(frame), client ? 0 : 1);
      const auto& sent_frames = sent(client ? 1 : 0);
      EXPECT_EQ(sent_frames.size(), 1u);
      if (sent_frames.size() == 1) out.push_back(parse_frame(sent_frames[0]).value());
    }
    return out;
  }
};

TEST_F(OutgoingChecksum, right_ones_are_carried_over) {
  for (std::size_t size = 0; size < 67; ++size) {
    for (const UdpFrame& frame :
         all_ways(Checksum::kRight, ByteVector(size, static_cast<std::uint8_t>(size * 3)))) {
      EXPECT_TRUE(frame.checksums_right) << size;
    }
  }
  EXPECT_EQ(counter(Counter::k_checksum_recomputed), 0u);
}

TEST_F(OutgoingChecksum, half_done_ones_of_veth_and_vhost_senders_are_computed_anew) {
  for (std::size_t size = 0; size < 67; ++size) {
    for (const UdpFrame& frame :
         all_ways(Checksum::kHalfDone, ByteVector(size, static_cast<std::uint8_t>(size * 3)))) {
      EXPECT_TRUE(frame.checksums_right) << size;
    }
  }
  EXPECT_EQ(counter(Counter::k_checksum_recomputed), 67u * 8u);
}

TEST_F(OutgoingChecksum, absent_ones_are_computed_and_never_left_zero) {
  for (const UdpFrame& frame : all_ways(Checksum::kZero, bytes_of("hello")))
    EXPECT_TRUE(frame.checksums_right);
  EXPECT_EQ(counter(Counter::k_checksum_recomputed), 6u);
}

TEST_F(OutgoingChecksum, damage_done_before_us_stays_detectable) {
  const auto frames = all_ways(Checksum::kWrong, bytes_of("hello"));
  EXPECT_EQ(frames.size(), 8u);
  for (const UdpFrame& frame : frames) EXPECT_FALSE(frame.checksums_right);
}

TEST_F(OutgoingChecksum, a_sum_of_zero_is_sent_as_ffff) {
  // Walk a 16-bit word through all values: one of them makes the sum zero.
  bool seen = false;
  for (std::uint32_t word = 0; word < 0x10000; ++word) {
    const ByteVector data{static_cast<std::uint8_t>(word >> 8), static_cast<std::uint8_t>(word)};
    receive(build(from_client(channel_data(0x4001, data))));
    const ByteVector& frame = sent(1).at(0);
    const std::uint16_t checksum = wire::load_be16(frame.data() + 14 + 20 + 6);
    ASSERT_NE(checksum, 0);
    seen = seen || checksum == 0xFFFF;
  }
  EXPECT_TRUE(seen);
}

TEST_F(OutgoingChecksum, what_we_consume_must_have_a_right_checksum) {
  ByteVector binding(20);
  wire::store_be16(binding.data(), 1);
  wire::store_be32(binding.data() + 4, 0x2112A442);
  UdpFrame frame = from_client(binding);
  frame.checksum = Checksum::kWrong;
  receive(build(frame));
  EXPECT_TRUE(silent());
  EXPECT_EQ(drops(DropReason::k_udp_checksum), 1u);
  for (Checksum good : {Checksum::kRight, Checksum::kZero, Checksum::kHalfDone}) {
    frame.checksum = good;
    receive(build(frame));
    EXPECT_TRUE(only(0).checksums_right);
  }
}

}  // namespace
}  // namespace turnpike::test
