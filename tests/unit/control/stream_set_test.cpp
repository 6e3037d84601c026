// SPDX-License-Identifier: BSD-3-Clause
// Connections over real loopback sockets: limits and time-outs, with a clock of our own.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/write.hpp>

#include "control/listeners/asio_endpoint.hpp"
#include "control/listeners/stream_listener.hpp"
#include "control/runtime/clock.hpp"
#include "tests/support/test_crypto.hpp"
#include "tests/unit/control/fake_network.hpp"

namespace turnpike::control {
namespace {

using boost::asio::ip::tcp;
using test::ip;

class RecordingHandler final : public ClientHandler {
public:
  void on_client_message(const turn::FiveTuple& from, Bytes message, Time /*now*/) override {
    last = from;
    sizes.push_back(message.size());
  }
  void on_client_gone(const turn::FiveTuple& /*client*/, Time /*now*/) override { ++gone; }

  turn::FiveTuple last;
  std::vector<std::size_t> sizes;
  int gone = 0;
};

class StreamSetTest : public ::testing::Test {
protected:
  StreamSetTest() {
    auto opened = StreamListener::open(io, set, {ip("127.0.0.1"), 0, port}, false, "listening-port");
    EXPECT_TRUE(opened) << opened.error();
    listener = std::move(*opened);
  }
  tcp::socket connect() {
    tcp::socket client(io);
    client.connect(to_asio<tcp>(wire::Endpoint{ip("127.0.0.1"), 0, port}));
    run();
    return client;
  }
  void run() {
    for (int i = 0; i < 50; ++i) io.run_one_for(std::chrono::milliseconds(2));
  }
  static bool is_closed(tcp::socket& client) {
    char byte;
    const ssize_t size = recv(client.native_handle(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return size == 0 || (size < 0 && errno == ECONNRESET);
  }
  // A Binding request without attributes.
  static std::vector<std::uint8_t> request() {
    std::vector<std::uint8_t> bytes{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42};
    bytes.resize(20, 7);
    return bytes;
  }
  void say(tcp::socket& client, const std::vector<std::uint8_t>& bytes) {
    boost::asio::write(client, boost::asio::buffer(bytes));
    run();
  }

  // Tests of other processes run at the same time.
  const std::uint16_t port = static_cast<std::uint16_t>(20000 + getpid() % 12000);
  boost::asio::io_context io;
  ClientTable table{1};
  RecordingHandler handler;
  test::TestCrypto crypto;
  Admission admission{{3, 2, {}, {}, {}}, crypto};
  StreamSet set{io, table, handler, admission};
  std::unique_ptr<StreamListener> listener;
};

TEST_F(StreamSetTest, C182_a_healthy_connection_is_left_alone) {
  tcp::socket client = connect();
  say(client, request());
  EXPECT_EQ(handler.sizes, std::vector<std::size_t>{20});
  EXPECT_EQ(table.size(), 1u);
  table.bind({0, 0, 1}, handler.last);
  for (int minute = 1; minute < 10; ++minute) set.tick(monotonic_now() + seconds(60 * minute));
  run();
  EXPECT_FALSE(is_closed(client));
  const std::vector<std::uint8_t> answer(24);
  table.reply({handler.last, 0, 0, 0, {}}, answer);
  table.flush();
  run();
  std::vector<std::uint8_t> read(100);
  EXPECT_EQ(client.read_some(boost::asio::buffer(read)), 24u);
}

TEST_F(StreamSetTest, C183_without_allocation_it_is_closed_after_a_minute) {
  tcp::socket client = connect();
  say(client, request());
  set.tick(monotonic_now() + seconds(55));
  EXPECT_EQ(set.size(), 1u);
  set.tick(monotonic_now() + seconds(61));
  run();
  EXPECT_TRUE(is_closed(client));
  EXPECT_EQ(set.counters().closed_idle, 1u);
  EXPECT_EQ(handler.gone, 1);
  EXPECT_EQ(table.size(), 0u);
}

// Whoever says nothing, or a part of a TLS handshake, has ten seconds.
TEST_F(StreamSetTest, half_open_ones_are_closed_soon) {
  tcp::socket silent = connect();
  set.tick(monotonic_now() + seconds(9));
  EXPECT_EQ(set.size(), 1u);
  set.tick(monotonic_now() + seconds(11));
  run();
  EXPECT_TRUE(is_closed(silent));
  EXPECT_EQ(set.counters().closed_unfinished, 1u);
  EXPECT_EQ(handler.gone, 0) << "it never was a client";
}

TEST_F(StreamSetTest, a_byte_a_second_buys_no_time) {
  tcp::socket slow = connect();
  say(slow, {0, 1, 0});
  set.tick(monotonic_now() + seconds(61));
  run();
  EXPECT_TRUE(is_closed(slow));
}

TEST_F(StreamSetTest, connections_are_limited_by_address_and_in_total) {
  tcp::socket first = connect();
  tcp::socket second = connect();
  tcp::socket third = connect();
  EXPECT_TRUE(is_closed(third));
  EXPECT_EQ(set.counters().refused_source, 1u);
  first.close();
  run();
  tcp::socket fourth = connect();
  EXPECT_FALSE(is_closed(fourth));
  EXPECT_EQ(set.size(), 2u);
  EXPECT_TRUE(set.admit(ip("192.0.2.1"), false));
}

TEST_F(StreamSetTest, limits_hold_over_the_sets_of_all_threads) {
  StreamSet other(io, table, handler, admission);
  tcp::socket first = connect();
  EXPECT_TRUE(other.admit(ip("127.0.0.1"), false));
  EXPECT_FALSE(other.admit(ip("127.0.0.1"), false)) << "two from one address";
  EXPECT_EQ(other.counters().refused_source, 1u);
  EXPECT_TRUE(other.admit(ip("192.0.2.1"), false));
  EXPECT_FALSE(set.admit(ip("192.0.2.2"), false)) << "three in all";
  EXPECT_EQ(set.counters().refused_total, 1u);
}

TEST_F(StreamSetTest, threads_share_a_port_that_nobody_else_has) {
  const std::uint16_t shared = static_cast<std::uint16_t>(port + 1);
  const auto open = [&](PortUse use) {
    return StreamListener::open(io, set, {ip("127.0.0.1"), 0, shared}, false, "listening-port", use);
  };
  const auto first = open(PortUse::kFirst);
  ASSERT_TRUE(first) << first.error();
  const auto other = open(PortUse::kOther);
  EXPECT_TRUE(other) << other.error();
  EXPECT_FALSE(open(PortUse::kAlone));
  EXPECT_FALSE(open(PortUse::kFirst)) << "another control finds the port taken";
}

TEST_F(StreamSetTest, another_program_on_the_port_is_named) {
  const auto again = StreamListener::open(io, set, {ip("127.0.0.1"), 0, port}, false, "listening-port");
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().find("listening-port=" + std::to_string(port)), std::string::npos) << again.error();
  const auto elsewhere = StreamListener::open(io, set, {ip("203.0.113.1"), 0, port}, false, "listening-port");
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(*elsewhere, nullptr) << "no address of the kernel's";
}

}  // namespace
}  // namespace turnpike::control
