// SPDX-License-Identifier: BSD-3-Clause
// Command rings with their backlogs, and the wake-up of the main lcore.
#include "control/dataplane_link/command_queues.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/control/region_fixture.hpp"

namespace turnpike::control {
namespace {

class CommandQueuesTest : public test::RegionTest {
protected:
  ~CommandQueuesTest() override { close(wake); }

  std::uint64_t wakes() {
    std::uint64_t count = 0;
    return read(wake, &count, sizeof count) == sizeof count ? count : 0;
  }
  void push(std::uint64_t seq, WorkerIndex queue = 0) {
    queues.push(queue, shm::Command::kRemoveChannel, seq, shm::RemoveFact{});
  }

  int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  CommandQueues queues{*region, wake, wake};
};

TEST_F(CommandQueuesTest, order_holds_across_a_full_ring) {
  constexpr std::uint64_t kCount = 5000;
  for (std::uint64_t seq = 1; seq <= kCount; ++seq) push(seq);
  EXPECT_EQ(queues.backlog(0), kCount - 1024);
  EXPECT_FALSE(queues.flush());
  std::uint64_t expected = 0;
  while (expected < kCount) {
    for (const auto& command : take(0)) EXPECT_EQ(command.seq, ++expected);
    queues.flush();
  }
  EXPECT_TRUE(queues.flush());
  EXPECT_EQ(queues.backlog(0), 0u);
}

TEST_F(CommandQueuesTest, what_comes_later_does_not_overtake_what_waits) {
  std::uint64_t seq = 0;
  while (queues.backlog(0) < 10) push(++seq);
  std::uint64_t expected = 0;
  for (const auto& command : take(0)) EXPECT_EQ(command.seq, ++expected);
  push(++seq);  // the ring has room, but ten are waiting
  EXPECT_TRUE(queues.flush());
  for (const auto& command : take(0)) EXPECT_EQ(command.seq, ++expected);
  EXPECT_EQ(expected, seq);
}

// Another thread has the rest, and the main lcore's ring is the first one's.
TEST_F(CommandQueuesTest, a_share_of_the_workers_has_only_their_rings) {
  CommandQueues first(*region, wake, wake, {0, 2});
  CommandQueues second(*region, wake, wake, {1, 2});
  EXPECT_EQ(first.rings(), (std::vector<WorkerIndex>{0, kWorkers}));
  EXPECT_EQ(second.rings(), std::vector<WorkerIndex>{1});
  second.push_to_workers(shm::Command::kSetNextHop, shm::NextHop{});
  EXPECT_FALSE(second.drained());
  EXPECT_TRUE(first.drained());
  EXPECT_EQ(take(0).size(), 0u);
  EXPECT_EQ(take(1).size(), 1u);
  EXPECT_EQ(take(kWorkers).size(), 0u);
}

TEST_F(CommandQueuesTest, drained_means_that_the_other_side_took_everything) {
  EXPECT_TRUE(queues.drained());
  push(1, 1);
  EXPECT_FALSE(queues.drained());
  take(1);
  EXPECT_TRUE(queues.drained());
}

TEST_F(CommandQueuesTest, answers_are_dropped_rather_than_queued_without_end) {
  const std::vector<std::uint8_t> payload(100);
  std::size_t pushed = 0;
  while (queues.push_datagram(0, {}, payload)) ++pushed;
  EXPECT_EQ(pushed, 1024 + CommandQueues::kMaxWithDatagrams);
  EXPECT_EQ(queues.dropped_datagrams(), 1u);
  EXPECT_TRUE(queues.congested(0));
  EXPECT_FALSE(queues.congested(1));
  push(7);  // a fact still finds its place
  std::vector<test::Command> last;
  do {
    last = take(0);
    queues.flush();
  } while (!queues.drained() && !last.empty());
  EXPECT_EQ(last.back().seq, 7u);
}

TEST_F(CommandQueuesTest, main_lcore_is_woken_once_and_only_when_it_sleeps) {
  const WorkerIndex main = queues.main();
  push(1, main);
  queues.signal();
  EXPECT_EQ(wakes(), 0u) << "it is awake";
  region->header().main_asleep = 1;
  push(2, 0);
  queues.signal();
  EXPECT_EQ(wakes(), 0u) << "not its ring";
  push(3, main);
  push(4, main);
  EXPECT_EQ(wakes(), 0u) << "not before the end of the pass";
  queues.signal();
  queues.signal();
  EXPECT_EQ(wakes(), 1u);
  EXPECT_EQ(region->header().main_asleep, 0u);
}

TEST_F(CommandQueuesTest, a_sleeping_worker_is_woken_once_for_all_that_it_was_given) {
  region->worker(0).asleep = 1;
  for (int i = 0; i < 50; ++i) push(static_cast<std::uint64_t>(i));
  queues.signal();
  EXPECT_EQ(wakes(), 1u);
}

TEST_F(CommandQueuesTest, media_is_dropped_when_the_ring_is_full) {
  const std::vector<std::uint8_t> payload(1200);
  std::size_t pushed = 0;
  while (queues.push_media(0, {}, payload)) ++pushed;
  EXPECT_EQ(pushed, 1024u / shm::cells_needed(sizeof(shm::SendToPeer) + 1200));
  EXPECT_EQ(queues.dropped_media(), 1u);
  EXPECT_EQ(queues.backlog(0), 0u);
}

TEST_F(CommandQueuesTest, a_lying_consumer_only_makes_the_ring_look_full) {
  region->command_ring(0).indices->head = ~std::uint64_t{0} / 3;
  for (int i = 0; i < 2000; ++i) push(1);
  EXPECT_LE(queues.ring_used(0), 1024u);
  EXPECT_FALSE(queues.flush());
}

}  // namespace
}  // namespace turnpike::control
