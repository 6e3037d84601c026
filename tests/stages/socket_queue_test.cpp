// SPDX-License-Identifier: BSD-3-Clause
// Kernel sockets over loopback: frames out become datagrams, datagrams in become frames.
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/port/socket_queue.hpp"
#include "tests/stages/stage_fixture.hpp"

namespace turnpike::test {
namespace {

using dataplane::SocketDatagram;

class Sockets : public StageTest {
protected:
  void SetUp() override {
    StageTest::SetUp();
    auto queue = dataplane::SocketQueue::create(8, pool_, {}, block_, wake_);
    ASSERT_TRUE(queue) << queue.error();
    queue_ = std::move(*queue);
    ASSERT_EQ(queue_->open_relay(left_), 0);
    ASSERT_EQ(queue_->open_relay(right_), 0);
  }
  void TearDown() override {
    queue_.reset();
    close(wake_);
    StageTest::TearDown();
  }
  rte_mbuf* frame(ByteVector payload, dataplane::SocketIpFields fields = {}) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    EXPECT_TRUE(dataplane::make_frame(mbuf, left_, right_, fields, payload));
    return mbuf;
  }
  void send(std::vector<rte_mbuf*> frames) { queue_->send(frames); }
  // What arrived within a moment: payloads in order, and the last one's headers.
  std::vector<ByteVector> receive() {
    std::vector<ByteVector> payloads;
    std::array<rte_mbuf*, 32> burst;
    for (int idle = 0; idle < 2;) {
      queue_->wait(20);
      idle = queue_->empty() ? idle + 1 : idle;
      while (const std::uint16_t count = queue_->receive(burst)) {
        for (std::uint16_t i = 0; i < count; ++i) {
          EXPECT_TRUE(dataplane::read_frame(burst[i], last_));
          payloads.emplace_back(last_.payload.begin(), last_.payload.end());
          rte_pktmbuf_free(burst[i]);
        }
      }
    }
    return payloads;
  }
  std::uint64_t count(Counter counter) const {
    return block_.counts.counters[static_cast<std::size_t>(counter)];
  }

  shm::WorkerBlock block_{};
  int wake_ = eventfd(0, EFD_NONBLOCK);
  std::unique_ptr<dataplane::SocketQueue> queue_;
  wire::Endpoint left_ = endpoint("127.0.0.1:42001");
  wire::Endpoint right_ = endpoint("127.0.0.1:42002");
  SocketDatagram last_;
};

TEST_F(Sockets, ip_fields_travel_both_ways) {
  send({frame(bytes_of("hello"), {33, 0xB8, false})});
  ASSERT_EQ(receive(), std::vector<ByteVector>{bytes_of("hello")});
  EXPECT_EQ(last_.from, left_);
  EXPECT_EQ(last_.to, right_);
  EXPECT_EQ(last_.fields.ttl, 33);
  EXPECT_EQ(last_.fields.traffic_class, 0xB8);
}

TEST_F(Sockets, a_run_of_equal_datagrams_is_one_message_and_a_short_one_ends_it) {
  std::vector<rte_mbuf*> frames;
  std::vector<ByteVector> sent;
  for (std::uint8_t i = 0; i < 20; ++i) {
    sent.emplace_back(i == 9 ? 50 : 100, i);
    frames.push_back(frame(sent.back()));
  }
  send(frames);
  EXPECT_EQ(receive(), sent);
  EXPECT_EQ(count(Counter::k_io_tx_datagrams), 20u);
  EXPECT_EQ(count(Counter::k_io_tx_messages), 2u);
  EXPECT_EQ(count(Counter::k_io_tx_calls), 1u);
}

TEST_F(Sockets, longer_datagrams_empty_ones_and_other_fields_start_new_runs) {
  const std::vector<ByteVector> sent{
      ByteVector(10, 1), ByteVector(20, 2), {}, ByteVector(10, 3), ByteVector(10, 4)};
  send({frame(sent[0]), frame(sent[1]), frame(sent[2]), frame(sent[3]), frame(sent[4], {63, 0, false})});
  EXPECT_EQ(receive(), sent);
  EXPECT_EQ(count(Counter::k_io_tx_messages), 5u);
}

TEST_F(Sockets, a_sender_without_socket_is_counted) {
  queue_->close_relay(left_);
  send({frame(bytes_of("late"))});
  EXPECT_TRUE(receive().empty());
  EXPECT_EQ(block_.counts.drops[static_cast<std::size_t>(DropReason::k_socket_gone)], 1u);
}

TEST_F(Sockets, shared_relay_ports_close_with_their_last_user) {
  ASSERT_EQ(queue_->open_relay(right_), 0);
  queue_->close_relay(right_);
  send({frame(bytes_of("still"))});
  EXPECT_EQ(receive().size(), 1u);
  EXPECT_EQ(count(Counter::k_io_sockets), 2u);
}

TEST_F(Sockets, a_taken_port_says_so) {
  auto other = dataplane::SocketQueue::create(8, pool_, {}, block_, wake_);
  ASSERT_TRUE(other);
  EXPECT_EQ((*other)->open_relay(left_), EADDRINUSE);
  EXPECT_EQ(count(Counter::k_io_sockets_refused), 1u);
}

TEST_F(Sockets, what_a_closed_socket_delivered_goes_with_it) {
  send({frame(bytes_of("one")), frame(bytes_of("other"))});
  queue_->wait(100);
  std::array<rte_mbuf*, 1> first;
  ASSERT_EQ(queue_->receive(first), 1);
  rte_pktmbuf_free(first[0]);
  queue_->close_relay(right_);
  ASSERT_EQ(queue_->open_relay(endpoint("127.0.0.1:42003")), 0);  // takes the same place in the table
  EXPECT_TRUE(receive().empty());
}

TEST_F(Sockets, icmp_errors_become_frames) {
  queue_->close_relay(right_);
  send({frame(bytes_of("anybody?"))});
  std::array<rte_mbuf*, 4> burst;
  queue_->wait(200);
  ASSERT_EQ(queue_->receive(burst), 1);
  const ByteVector bytes(rte_pktmbuf_mtod(burst[0], std::uint8_t*),
                         rte_pktmbuf_mtod(burst[0], std::uint8_t*) + burst[0]->data_len);
  rte_pktmbuf_free(burst[0]);
  ASSERT_EQ(bytes.size(), 14u + 20 + 8 + 20 + 8);
  EXPECT_EQ(bytes[14 + 9], wire::kProtocolIcmp);
  EXPECT_EQ(bytes[34], wire::kIcmpUnreachable);
  EXPECT_EQ(bytes[35], wire::kIcmpCodePortUnreachable);
  EXPECT_EQ(wire::load_be16(&bytes[34 + 8 + 20]), left_.port);
  EXPECT_EQ(wire::load_be16(&bytes[34 + 8 + 22]), right_.port);
}

}  // namespace
}  // namespace turnpike::test
