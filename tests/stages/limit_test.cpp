// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth limits of sessions: both directions, every form of message, clients of control, hairpins.
#include "common/stun/attributes.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

using shm::Command;

constexpr std::uint64_t kBurst = 16384;    // what a session with a low limit may have at once
constexpr std::uint64_t kSlow = 1;         // bytes per second: the burst, then nothing for the rest of a test
constexpr std::uint64_t kSteady = 80'000;  // 10 000 bytes in an eighth of a second, below the least burst

class Limit : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    fact_ = allocation();
    other_ = allocation();
    other_.allocation = {1, 1};
    other_.client = endpoint("10.0.1.9:41000");
    other_.relay_v4.port = other_.relay_v6.port = 50002;
    set_limit(kSlow);
  }
  void set_limit(std::uint64_t bytes_per_second) {
    fact_.max_bps = bytes_per_second;
    command(Command::kInstallAllocation, fact_, ++seq_);
  }
  shm::ChannelFact other_channel(const char* peer, std::uint16_t number, std::uint32_t index) {
    shm::ChannelFact fact = channel(peer, number, index);
    fact.allocation = other_.allocation;
    fact.relay = other_.relay_v4;
    return fact;
  }
  // How many of `count` copies leave on `port`.
  std::size_t pass(const UdpFrame& frame, std::uint16_t in, std::uint16_t out, std::size_t count = 40) {
    receive_all(std::vector<ByteVector>(count, build(frame)), in);
    return sent(out).size();
  }
  std::size_t pass_to_peer(const ByteVector& message, std::size_t count = 40) {
    return pass(from_client(message), 0, 1, count);
  }
  std::size_t pass_to_client(const ByteVector& payload, std::size_t count = 40) {
    return pass(from_peer(payload), 1, 0, count);
  }
  std::uint64_t lost_to_peer(std::uint32_t slot = 0) { return region_->over_limit(0, slot).to_peer_packets; }
  std::uint64_t lost_to_client(std::uint32_t slot = 0) {
    return region_->over_limit(0, slot).to_client_packets;
  }
  void pass_time(std::uint64_t milliseconds) {
    time_ns_ += milliseconds * 1'000'000;
    set_time(time_ns_);
  }

  shm::AllocationFact fact_;
  shm::AllocationFact other_;
  std::uint64_t time_ns_ = kStartNs;
  const ByteVector data_ = ByteVector(996, 'x');
  const ByteVector message_ = channel_data(0x4001, data_);  // 1000 bytes
};

TEST_F(Limit, C222_channel_data_above_the_limit_is_dropped) {
  install_channel("10.0.2.2:5000", 0x4001);
  EXPECT_EQ(pass_to_peer(message_), kBurst / 1000);
  EXPECT_EQ(drops(DropReason::k_to_peer_over_limit), 40 - kBurst / 1000);
  EXPECT_EQ(lost_to_peer(), 40 - kBurst / 1000);
  EXPECT_EQ(region_->allocation(0, 0).to_peer_packets.load(), kBurst / 1000) << "what was relayed alone";
  EXPECT_EQ(all_drops(), 40 - kBurst / 1000);
}

TEST_F(Limit, the_other_direction_has_its_own) {
  install_channel("10.0.2.2:5000", 0x4001);
  pass_to_peer(message_);
  EXPECT_EQ(pass_to_client(ByteVector(1000)), kBurst / 1000);
  EXPECT_EQ(drops(DropReason::k_to_client_over_limit), 40 - kBurst / 1000);
  EXPECT_EQ(lost_to_client(), 40 - kBurst / 1000);
}

TEST_F(Limit, the_whole_message_counts_as_it_came) {
  install_permission("10.0.2.2");
  const ByteVector indication = send_indication(endpoint("10.0.2.2:5000"), ByteVector(100));
  ASSERT_GT(indication.size(), 130u);
  EXPECT_EQ(pass_to_peer(indication, 200), kBurst / indication.size());
  EXPECT_EQ(drops(DropReason::k_to_peer_over_limit), 200 - kBurst / indication.size());
  // Towards the client the peer's payload, not the indication made of it.
  EXPECT_EQ(pass_to_client(ByteVector(100), 200), kBurst / 100);
  EXPECT_EQ(counter(Counter::k_peer_to_data), kBurst / 100);
}

TEST_F(Limit, channels_permissions_and_families_share_it) {
  install_channel("10.0.2.2:5000", 0x4001);
  install_channel("[fd00:2::2]:5000", 0x4002, 1);
  install_permission("10.0.2.3");
  EXPECT_EQ(pass_to_peer(message_, 8), 8u);
  EXPECT_EQ(pass_to_peer(channel_data(0x4002, data_), 7), 7u);
  EXPECT_EQ(pass_to_peer(send_indication(endpoint("10.0.2.3:9"), data_), 1), 1u);
  EXPECT_EQ(pass_to_peer(message_, 1), 0u);
  EXPECT_EQ(pass_to_peer(channel_data(0x4002, data_), 1), 0u);
  EXPECT_EQ(pass_to_peer(send_indication(endpoint("10.0.2.3:9"), data_), 1), 0u);
}

TEST_F(Limit, the_rate_comes_back_with_time) {
  install_channel("10.0.2.2:5000", 0x4001);
  set_limit(kSteady);
  pass_to_peer(message_);
  for (int i = 0; i < 10; ++i) {
    pass_time(100);
    EXPECT_EQ(pass_to_peer(message_), 8u) << i;
  }
  pass_time(100'000);
  EXPECT_EQ(pass_to_peer(message_), kBurst / 1000) << "silence saves no more than the burst";
}

TEST_F(Limit, another_session_has_nothing_to_do_with_it) {
  install_channel("10.0.2.2:5000", 0x4001);
  other_.max_bps = kSlow;
  command(Command::kInstallAllocation, other_, ++seq_);
  command(Command::kInstallChannel, other_channel("10.0.2.2:5000", 0x4001, 1), ++seq_);
  pass_to_peer(message_);
  UdpFrame theirs = from_client(message_);
  theirs.source = other_.client;
  EXPECT_EQ(pass(theirs, 0, 1, 10), 10u);
  EXPECT_EQ(lost_to_peer(1), 0u);
  other_.max_bps = 0;
  command(Command::kInstallAllocation, other_, ++seq_);
  EXPECT_EQ(pass(theirs, 0, 1, 100), 100u);
}

TEST_F(Limit, without_a_limit_everything_passes) {
  install_channel("10.0.2.2:5000", 0x4001);
  set_limit(0);
  EXPECT_EQ(pass_to_peer(message_, 200), 200u);
  EXPECT_EQ(pass_to_client(ByteVector(1000), 200), 200u);
  EXPECT_EQ(all_drops(), 0u);
}

TEST_F(Limit, a_repeated_fact_fills_no_bucket) {
  install_channel("10.0.2.2:5000", 0x4001);
  install_permission("10.0.2.2");
  pass_to_peer(message_);
  pass_to_client(ByteVector(1000));
  const std::uint64_t lost = lost_to_peer();
  set_limit(kSlow);
  EXPECT_EQ(lost_to_peer(), lost);
  EXPECT_EQ(pass_to_peer(message_), 0u);
  EXPECT_EQ(pass_to_client(ByteVector(1000)), 0u);
  fact_.relay_v6 = {};  // a family less
  set_limit(kSlow);
  EXPECT_EQ(pass_to_peer(message_), 0u);
}

TEST_F(Limit, another_limit_counts_for_what_is_installed_already) {
  install_channel("10.0.2.2:5000", 0x4001);
  install_permission("10.0.2.3");
  const ByteVector indication = send_indication(endpoint("10.0.2.3:9"), data_);
  set_limit(0);
  EXPECT_EQ(pass_to_peer(message_), 40u);
  set_limit(kSlow);
  EXPECT_EQ(pass_to_peer(message_), kBurst / 1000);
  EXPECT_EQ(pass_to_peer(indication), 0u);
  EXPECT_EQ(pass_to_client(ByteVector(1000)), kBurst / 1000);
  set_limit(kSteady);
  EXPECT_EQ(pass_to_peer(message_), 0u);
  pass_time(100);
  EXPECT_EQ(pass_to_peer(indication), (kBurst % 1000 + kSteady / 10) / indication.size());
  set_limit(0);
  EXPECT_EQ(pass_to_peer(indication), 40u);
  EXPECT_EQ(pass_to_client(ByteVector(1000)), 40u);
}

TEST_F(Limit, the_next_session_in_the_slot_begins_anew) {
  install_channel("10.0.2.2:5000", 0x4001);
  pass_to_peer(message_);
  EXPECT_NE(lost_to_peer(), 0u);
  command(Command::kRemoveAllocation, shm::RemoveFact{{0, 1}, {0, 1}}, ++seq_);
  fact_.allocation.generation = 2;
  set_limit(kSlow);
  EXPECT_EQ(lost_to_peer(), 0u);
  shm::ChannelFact bound = channel("10.0.2.2:5000", 0x4001);
  bound.allocation.generation = bound.channel.generation = 2;
  command(Command::kInstallChannel, bound, ++seq_);
  EXPECT_EQ(pass_to_peer(message_), kBurst / 1000);
}

TEST_F(Limit, what_is_dropped_for_another_reason_costs_nothing) {
  install_channel("10.0.2.2:5000", 0x4001);
  UdpFrame large = from_client(channel_data(0x4001, ByteVector(1600)));
  large.dont_fragment = true;
  EXPECT_EQ(pass(large, 0, 1), 0u);
  EXPECT_EQ(drops(DropReason::k_too_big), 40u);
  EXPECT_EQ(pass_to_peer(channel_data(0x4002, data_)), 0u);
  EXPECT_EQ(pass_to_peer(message_), kBurst / 1000);
}

TEST_F(Limit, of_a_client_that_control_serves) {
  shm::AllocationFact served = fact_;
  served.allocation = {2, 1};
  served.server.port = 5349;
  served.client_next_hop = shm::kServedByControl;
  served.relay_v4.port = served.relay_v6.port = 50004;
  command(Command::kInstallAllocation, served, ++seq_);
  shm::ChannelFact bound = channel("10.0.2.2:5000", 0x4001, 2);
  bound.allocation = served.allocation;
  bound.relay = served.relay_v4;
  command(Command::kInstallChannel, bound, ++seq_);
  shm::SendToPeer head;
  head.allocation = served.allocation;
  head.peer = endpoint("10.0.2.2:5000");
  head.channel = 0x4001;
  std::size_t to_peer = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(commands_.push(static_cast<std::uint16_t>(Command::kSendToPeer), 0,
                               Bytes(reinterpret_cast<const std::uint8_t*>(&head), sizeof head),
                               ByteVector(1000)));
    run_inbox();
    to_peer += sent(1).size();
  }
  EXPECT_EQ(to_peer, kBurst / 1000);
  EXPECT_EQ(lost_to_peer(2), 20 - kBurst / 1000);
  UdpFrame back = from_peer(ByteVector(1000));
  back.destination = served.relay_v4;
  pass(back, 1, 0, 20);
  EXPECT_EQ(counter(Counter::k_control_to_client), kBurst / 1000);
  EXPECT_EQ(lost_to_client(2), 20 - kBurst / 1000);
  EXPECT_EQ(mbufs_in_use(), 0u);
}

// Both sessions' limits count: the sender's towards its peer, the receiver's towards its client.
TEST_F(Limit, hairpins) {
  command(Command::kInstallAllocation, other_, ++seq_);
  install_channel("10.0.2.1:50002", 0x4001);
  command(Command::kInstallChannel, other_channel("10.0.2.1:50000", 0x4007, 9), ++seq_);
  EXPECT_EQ(pass(from_client(message_), 0, 0), kBurst / 1000);
  EXPECT_EQ(lost_to_peer(0), 40 - kBurst / 1000);
  UdpFrame back = from_client(channel_data(0x4007, data_));
  back.source = other_.client;
  EXPECT_EQ(pass(back, 0, 0), kBurst / data_.size());
  EXPECT_EQ(lost_to_client(0), 40 - kBurst / data_.size());
  EXPECT_EQ(lost_to_peer(1), 0u);
  EXPECT_EQ(lost_to_client(1), 0u);
}

}  // namespace
}  // namespace turnpike::test
