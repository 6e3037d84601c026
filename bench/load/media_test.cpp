// SPDX-License-Identifier: BSD-3-Clause
// The judge of arrivals is itself judged: every kind of damage has to be seen.
#include "bench/load/media.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

#include "common/stun/channel_data.hpp"
#include "common/stun/data_indication.hpp"
#include "tests/support/packet_builder.hpp"

namespace turnpike::load {
namespace {

using test::ByteVector;
using test::UdpFrame;

// Plays the relay between an outbox and an inspector.
class MediaTest : public testing::Test {
protected:
  void start(bool indications = false, const char* peer_ip = "10.0.2.2", const char* client_ip = "10.0.1.2") {
    const bool v4 = wire::parse_address(client_ip)->is_v4();
    options_.server = *wire::parse_endpoint(v4 ? "10.0.1.1:3478" : "[fd00:1::1]:3478");
    options_.client_ip = *wire::parse_address(client_ip);
    options_.peer_ip = *wire::parse_address(peer_ip);
    options_.relay_mac = {{2, 0, 0, 0, 0, 1}};
    options_.own_mac = {{2, 0, 0, 0, 0, 2}};
    options_.indications = indications;
    options_.payload = 121;  // odd, so that indications are padded
    options_.verify = 1;
    sessions_ = make_sessions(options_);
    const auto relay = options_.peer_ip.is_v4() ? "10.0.2.1:50000" : "[fd00:2::1]:50000";
    for (auto& session : sessions_) session.relay = *wire::parse_endpoint(relay);
    outbox_ = std::make_unique<Outbox>(options_, sessions_);
    inspector_ = std::make_unique<Inspector>(options_, sessions_, *outbox_);
    buffers_ = {};
  }

  UdpFrame sent(Direction direction, std::uint32_t session) {
    ByteVector& bytes = buffers_[direction];  // one for all sessions
    if (bytes.empty()) bytes.assign(outbox_->frame(direction).begin(), outbox_->frame(direction).end());
    outbox_->write(direction, session, now_ns_, bytes.data());
    const auto frame = test::parse_frame(bytes);
    EXPECT_TRUE(frame && frame->checksums_right);
    EXPECT_EQ(frame->source, direction == kToPeer ? sessions_[session].client : sessions_[session].peer);
    EXPECT_EQ(frame->destination, direction == kToPeer ? options_.server : sessions_[session].relay);
    return *frame;
  }

  UdpFrame relayed(Direction direction, std::uint32_t session) {
    UdpFrame frame = sent(direction, session);
    frame.destination_mac = options_.own_mac.bytes;
    if (direction == kToPeer) {
      frame.source = sessions_[session].relay;
      frame.destination = sessions_[session].peer;
      frame.payload = unframed(frame.payload);
    } else {
      frame.source = options_.server;
      frame.destination = sessions_[session].client;
      frame.payload = framed(sessions_[session].peer, frame.payload);
    }
    return frame;
  }

  ByteVector unframed(const ByteVector& message) const {
    stun::SendIndication send;
    const Bytes data = options_.indications && stun::parse_plain_send_indication(message, send)
                           ? send.data
                           : stun::parse_channel_data(message)->data;
    return {data.begin(), data.end()};
  }

  ByteVector framed(const wire::Endpoint& peer, const ByteVector& payload) const {
    ByteVector out(payload.size() + 64);
    if (!options_.indications) {
      const Bytes message = stun::write_channel_data(out, kChannel, payload, stun::ChannelPadding::kNone);
      return {message.begin(), message.end()};
    }
    const stun::TransactionId id{1, 2, 3};
    out.resize(stun::write_data_indication_prefix(out, stun::TransactionIdView(id), peer, payload.size()));
    out.insert(out.end(), payload.begin(), payload.end());
    out.resize(stun::padded_size(out.size()));
    return out;
  }

  void arrive(const UdpFrame& frame) { inspector_->inspect(test::build(frame), now_ns_); }
  void glance(const UdpFrame& frame) { glance(test::build(frame)); }
  void glance(const ByteVector& frame) {
    std::array<std::uint64_t, kDirections + 1> glances{};
    ++glances[inspector_->glance(frame.size())];
    inspector_->count(glances);
  }
  const Arrivals& arrivals() const { return inspector_->arrivals(); }
  std::uint64_t received() const { return arrivals().received[kToPeer] + arrivals().received[kToClient]; }

  Options options_ = [] {
    Options options;
    options.sessions = 10;
    return options;
  }();
  std::vector<Session> sessions_;
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<Inspector> inspector_;
  std::array<ByteVector, kDirections> buffers_;
  std::uint64_t now_ns_ = 123'456'789'012;
};

TEST_F(MediaTest, good_media_of_every_framing_and_family) {
  for (const bool indications : {false, true}) {
    for (const char* peer_ip : {"10.0.2.2", "fd00:2::2"}) {
      for (const char* client_ip : {"10.0.1.2", "fd00:1::2"}) {
        start(indications, peer_ip, client_ip);
        for (int i = 0; i < 3; ++i) {
          arrive(relayed(kToPeer, 0));
          arrive(relayed(kToClient, 9));
        }
        EXPECT_EQ(arrivals().received, (std::array<std::uint64_t, 2>{3, 3}));
        EXPECT_EQ(arrivals().verified, 6U);
        glance(relayed(kToPeer, 7));
        glance(relayed(kToClient, 7));
        glance(relayed(kToClient, 7));
        EXPECT_EQ(arrivals().received, (std::array<std::uint64_t, 2>{4, 5}));
        EXPECT_EQ(arrivals().bad() + arrivals().foreign, 0U);
      }
    }
  }
}

TEST_F(MediaTest, latency_is_from_making_to_arrival) {
  start();
  const UdpFrame to_peer = relayed(kToPeer, 1);
  const UdpFrame to_client = relayed(kToClient, 2);
  now_ns_ += 1500;
  arrive(to_peer);
  now_ns_ += 500;
  arrive(to_client);
  arrive(to_client);  // a duplicate has none
  const LatencySnapshots latencies = snapshots_of(inspector_->latencies());
  EXPECT_EQ(latencies[kToPeer].count(), 1U);
  EXPECT_EQ(latencies[kToPeer].quantile(1000), 1500U);
  EXPECT_EQ(latencies[kToClient].count(), 1U);
  EXPECT_EQ(latencies[kToClient].quantile(1000), 2000U);
}

TEST_F(MediaTest, many_sessions_take_several_addresses) {
  options_.sessions = 50'001;
  start();
  EXPECT_EQ(to_string(sessions_[49'999].client), "10.0.1.2:59999");
  EXPECT_EQ(to_string(sessions_[50'000].client), "10.0.1.3:10000");
  for (const std::uint32_t session : {0U, 49'999U, 50'000U}) {
    EXPECT_EQ(session_of_client(options_, sessions_[session].client), session);
    arrive(relayed(kToClient, session));
  }
  EXPECT_EQ(received(), 3U);
  for (const char* stranger : {"10.0.1.2:9999", "10.0.1.2:60000", "10.0.1.3:10001", "10.0.1.1:10000"}) {
    EXPECT_EQ(session_of_client(options_, *wire::parse_endpoint(stranger)), options_.sessions) << stranger;
  }
}

TEST_F(MediaTest, every_corrupt_payload_byte_is_seen) {
  start();
  const UdpFrame good = relayed(kToPeer, 5);
  for (std::size_t at = 0; at < good.payload.size(); ++at) {
    UdpFrame bad = good;
    bad.payload[at] ^= 0x10;
    arrive(bad);  // with right checksums
  }
  UdpFrame short_one = good;
  short_one.payload.pop_back();
  arrive(short_one);
  EXPECT_EQ(arrivals().corrupt, good.payload.size() + 1);
  EXPECT_EQ(received(), 0U);
}

TEST_F(MediaTest, wrong_framing_is_corrupt) {
  for (const bool indications : {false, true}) {
    start(indications);
    UdpFrame bad = relayed(kToClient, 5);
    bad.payload[indications ? 30 : 1] ^= 1;  // inside XOR-PEER-ADDRESS; the channel
    arrive(bad);
    EXPECT_EQ(arrivals().corrupt, 1U);
    EXPECT_EQ(received(), 0U);
  }
}

TEST_F(MediaTest, what_was_never_sent_is_corrupt) {
  start();
  const UdpFrame once = relayed(kToPeer, 5);
  outbox_ = std::make_unique<Outbox>(options_, sessions_);
  inspector_ = std::make_unique<Inspector>(options_, sessions_, *outbox_);
  arrive(once);
  EXPECT_EQ(arrivals().corrupt, 1U);
}

TEST_F(MediaTest, wrong_checksums_are_seen) {
  start();
  for (const auto checksum :
       {UdpFrame::Checksum::kZero, UdpFrame::Checksum::kHalfDone, UdpFrame::Checksum::kWrong}) {
    UdpFrame bad = relayed(kToPeer, 5);
    bad.checksum = checksum;
    arrive(bad);
  }
  ByteVector bad_header = test::build(relayed(kToPeer, 5));
  bad_header[14 + 8] ^= 1;  // TTL
  inspector_->inspect(bad_header, now_ns_);
  EXPECT_EQ(arrivals().checksum, 4U);
  EXPECT_EQ(received(), 0U);
}

TEST_F(MediaTest, wrong_addresses_are_seen) {
  start();
  for (const Direction direction : {kToPeer, kToClient}) {
    UdpFrame frame = relayed(direction, 5);
    frame.source.port ^= 1;
    arrive(frame);
    frame = relayed(direction, 5);
    frame.source.address = *wire::parse_address("10.9.9.9");
    arrive(frame);
    frame = relayed(direction, 5);
    frame.destination = direction == kToPeer ? sessions_[6].peer : sessions_[6].client;
    arrive(frame);
    frame = relayed(direction, 5);
    frame.destination_mac[5] ^= 1;
    arrive(frame);
  }
  EXPECT_EQ(arrivals().address, 8U);
  EXPECT_EQ(received(), 0U);
}

TEST_F(MediaTest, repetition_and_reordering_are_counted_apart) {
  start();
  std::vector<UdpFrame> frames;
  for (int i = 0; i < 262; ++i) frames.push_back(relayed(kToPeer, 5));
  for (const std::size_t i : {0U, 2U, 1U, 257U, 3U, 260U}) arrive(frames[i]);
  EXPECT_EQ(received(), 6U);
  EXPECT_EQ(arrivals().reordered, 2U);
  for (const std::size_t i : {0U, 2U, 257U, 260U}) arrive(frames[i]);
  EXPECT_EQ(arrivals().duplicate, 4U);
  arrive(relayed(kToClient, 5));  // another direction has numbers of its own
  EXPECT_EQ(received(), 7U);
  arrive(frames[5]);  // one of the last 256, and not seen yet
  EXPECT_EQ(arrivals().reordered, 3U);
  arrive(frames[4]);  // nobody knows
  EXPECT_EQ(arrivals().duplicate, 5U);
  EXPECT_EQ(received(), 8U);
}

// Against a set of everything that was taken.
TEST(SequenceWindow, agrees_with_a_model) {
  std::mt19937 random(11);
  SequenceWindow window;
  std::set<std::uint32_t> seen;
  std::uint32_t top = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t kind = random() % 100;
    const std::uint32_t back = random() % (kind < 60 ? 300 : 4);
    const std::uint32_t sequence = kind < 3 ? top + random() % 700 : top + 2 - std::min(back, top + 2);
    const bool fresh = (top < SequenceWindow::kSize || sequence >= top - SequenceWindow::kSize) &&
                       seen.insert(sequence).second;
    const Order wanted = !fresh ? Order::kDuplicate : sequence >= top ? Order::kNewest : Order::kReordered;
    ASSERT_EQ(window.take(sequence), wanted) << sequence << " after " << top;
    top = std::max(top, sequence + 1);
    ASSERT_EQ(window.top(), top);
  }
}

TEST_F(MediaTest, other_frames_are_foreign_to_both) {
  start();
  UdpFrame vlan = relayed(kToPeer, 5);
  vlan.vlans = {7};
  ByteVector arp(42);
  arp[12] = 0x08;
  arp[13] = 0x06;
  for (const ByteVector& frame : {ByteVector(), ByteVector(13), arp}) {
    inspector_->inspect(frame, now_ns_);
    glance(frame);
  }
  inspector_->inspect(test::build(vlan), now_ns_);
  EXPECT_EQ(arrivals().foreign, 7U);
  ByteVector cut = test::build(relayed(kToPeer, 5));
  while (!cut.empty()) {
    cut.pop_back();
    inspector_->inspect(cut, now_ns_);
    glance(cut);
  }
  EXPECT_EQ(received() + arrivals().bad(), 0U);
}

TEST_F(MediaTest, swapped_frames_come_back_in_their_own_framing) {
  options_.swap = true;
  for (const bool indications : {false, true}) {
    start(indications);
    for (const Direction direction : {kToPeer, kToClient, kToClient}) {
      UdpFrame frame = sent(direction, 5);
      std::swap(frame.source, frame.destination);
      std::swap(frame.source_mac, frame.destination_mac);
      arrive(frame);
      glance(frame);
    }
    EXPECT_EQ(arrivals().received, (std::array<std::uint64_t, 2>{2, 4}));
    EXPECT_EQ(arrivals().bad() + arrivals().foreign, 0U);
  }
}

TEST_F(MediaTest, looped_frames_come_back_as_they_left) {
  options_.swap = options_.port.null = true;
  start();
  for (const Direction direction : {kToPeer, kToClient, kToClient}) {
    const UdpFrame frame = sent(direction, 5);
    arrive(frame);
    glance(frame);
  }
  EXPECT_EQ(arrivals().received, (std::array<std::uint64_t, 2>{2, 4}));
  UdpFrame turned = sent(kToPeer, 5);
  std::swap(turned.source, turned.destination);
  arrive(turned);
  EXPECT_EQ(arrivals().corrupt, 1U);
}

}  // namespace
}  // namespace turnpike::load
