// SPDX-License-Identifier: BSD-3-Clause
// A whole run over real sockets against a relay that does wrong: what it did is what is reported, packet by
// packet.
#include "bench/load/sockets/media_run.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "bench/load/sockets/bad_relay.hpp"

namespace turnpike::load {
namespace {

using test::BadRelay;
using test::Deeds;
using test::Faults;

constexpr std::uint32_t kHalf = 500;
constexpr std::uint32_t kAll = 1000;
constexpr std::uint32_t kLeast = 0;
constexpr std::uint64_t kMillisecond = 1'000'000;

Options options_for(const BadRelay& relay, std::uint32_t receivers, std::uint32_t senders) {
  Options options;
  options.server = relay.server();
  options.client_ip = options.peer_ip = options.server.address;
  options.sessions = 4;
  options.payload = 203;
  options.sockets.profile = fixed_profile(options.payload);
  options.rate = 4000;
  options.seconds = 1;
  options.burst = 8;
  options.sockets.on = true;
  options.sockets.directions = {kToPeer, kToClient};
  options.sockets.sender_threads = senders;
  options.sockets.receiver_threads = receivers;
  options.sockets.sweep_us = 500;
  options.sockets.receive_buffer = 4U << 20;
  return options;
}

// How many threads send and receive.
class MediaRunTest : public testing::TestWithParam<std::pair<std::uint32_t, std::uint32_t>> {
protected:
  // One second through the relay.
  void run(const Faults& faults) {
    relay_ = std::make_unique<BadRelay>(faults);
    const Options options = options_for(*relay_, GetParam().second, GetParam().first);
    const wire::Endpoint anywhere{options.client_ip, 0, 0};
    std::vector<Session> sessions(options.sessions, {anywhere, anywhere, {}});
    ClientSockets clients(options, sessions, std::numeric_limits<std::size_t>::max());
    std::vector<UdpSocket> peers;
    for (std::uint32_t i = 0; i < options.sessions; ++i) connect(options, i, sessions[i], clients, peers);
    const Ends ends{options,
                    sessions,
                    &clients,
                    peers,
                    nullptr,
                    nullptr,
                    {Messages(options, sessions, kToPeer), Messages(options, sessions, kToClient)}};
    auto made = MediaRun::make(ends, [] {});
    ASSERT_TRUE(made) << made.error();
    relay_->start();
    outcome_ = (*made)->run(std::chrono::seconds(0), std::chrono::seconds(options.seconds),
                            std::atomic<bool>(false));
    relay_->stop();
  }

  void connect(const Options& options, std::uint32_t i, Session& session, ClientSockets& clients,
               std::vector<UdpSocket>& peers) {
    constexpr std::array<std::uint8_t, 1> kHello{};  // opens the socket, and is no media
    ASSERT_TRUE(clients.send(i, kHello));
    auto peer = UdpSocket::open(session.peer);
    ASSERT_TRUE(peer) << peer.error();
    session.client = test::local_endpoint(clients.fd(i));
    session.peer = test::local_endpoint(peer->fd());
    session.relay = relay_->add(session.client, session.peer);
    ASSERT_TRUE(peer->connect(session.relay));
    for (UdpSocket* socket : {&clients.udp(i), &*peer}) {
      ASSERT_TRUE(socket->set_buffers(options.sockets.receive_buffer));
      socket->set_gro(true);
    }
    peers.push_back(std::move(*peer));
  }

  std::uint64_t done(std::uint64_t Deeds::*deed) const {
    return relay_->deeds(kToPeer).*deed + relay_->deeds(kToClient).*deed;
  }
  std::uint64_t latencies() const { return outcome_.latencies[0].count() + outcome_.latencies[1].count(); }

  // Nothing but what the relay did.
  void expect_the_deeds() const {
    const Moment& all = outcome_.settled;
    EXPECT_EQ(all.sent, done(&Deeds::taken));
    EXPECT_EQ(all.drops, 0U);
    EXPECT_EQ(all.foreign, 0U);
    EXPECT_EQ(all.sent - all.received - all.corrupt, done(&Deeds::dropped));
    EXPECT_EQ(all.duplicate, done(&Deeds::repeated));
    EXPECT_EQ(all.reordered, done(&Deeds::swapped));
    EXPECT_EQ(all.corrupt, done(&Deeds::corrupted));
    EXPECT_EQ(latencies(), all.received);
    EXPECT_GT(all.sent, 1000U);
  }

  std::unique_ptr<BadRelay> relay_;
  Outcome outcome_;
};

TEST_P(MediaRunTest, an_honest_relay_is_not_accused) {
  run({});
  expect_the_deeds();
  EXPECT_EQ(outcome_.settled.received, outcome_.settled.sent);
  EXPECT_EQ(outcome_.settled.bytes, outcome_.settled.sent * 203);
}

TEST_P(MediaRunTest, loss_is_loss) {
  run({.drop = 50});
  expect_the_deeds();
  EXPECT_NEAR(static_cast<double>(done(&Deeds::dropped)), static_cast<double>(outcome_.settled.sent) / 50, 8);
}

TEST_P(MediaRunTest, repetition_is_repetition) {
  run({.repeat = 20});
  expect_the_deeds();
  EXPECT_NEAR(static_cast<double>(done(&Deeds::repeated)), static_cast<double>(outcome_.settled.sent) / 20,
              8);
}

TEST_P(MediaRunTest, reordering_is_reordering) {
  run({.swap = 10});
  expect_the_deeds();
  EXPECT_GT(done(&Deeds::swapped), outcome_.settled.sent / 20);
}

TEST_P(MediaRunTest, one_wrong_bit_is_corruption) {
  run({.corrupt = 10});
  expect_the_deeds();
  EXPECT_NEAR(static_cast<double>(done(&Deeds::corrupted)), static_cast<double>(outcome_.settled.sent) / 10,
              8);
}

TEST_P(MediaRunTest, everything_at_once_is_told_apart) {
  run({.drop = 31, .repeat = 17, .swap = 13, .corrupt = 11, .delay = std::chrono::milliseconds(3)});
  expect_the_deeds();
  for (const auto deed : {&Deeds::dropped, &Deeds::repeated, &Deeds::swapped, &Deeds::corrupted}) {
    EXPECT_GT(done(deed), 30U);
  }
}

TEST_P(MediaRunTest, a_delay_is_in_every_latency) {
  run({});
  for (const LatencySnapshot& latency : outcome_.latencies) {
    EXPECT_GT(latency.quantile(kLeast), 0U);
    EXPECT_LT(latency.quantile(kHalf), 25 * kMillisecond);
  }
  run({.delay = std::chrono::milliseconds(25)});
  expect_the_deeds();
  for (const LatencySnapshot& latency : outcome_.latencies) {
    EXPECT_GE(latency.quantile(kLeast), 25 * kMillisecond);
    EXPECT_LT(latency.quantile(kHalf), 50 * kMillisecond);
    EXPECT_GE(latency.quantile(kAll), latency.quantile(kHalf));
  }
}

INSTANTIATE_TEST_SUITE_P(threads, MediaRunTest,
                         testing::Values(std::pair(1U, 0U), std::pair(1U, 1U), std::pair(2U, 2U)),
                         [](const auto& info) {
                           return std::to_string(info.param.first) + "s" + std::to_string(info.param.second) +
                                  "r";
                         });

}  // namespace
}  // namespace turnpike::load
