// SPDX-License-Identifier: BSD-3-Clause
// The ring between two threads, for ThreadSanitizer: everything arrives once, whole and in order.
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/shm/ring_memory.hpp"

namespace turnpike::test {
namespace {

TEST(RingThreads, everything_arrives_once_whole_and_in_order) {
  constexpr std::uint64_t kMessages = 100'000;
  RingMemory memory(64);
  std::thread sender([&] {
    shm::Producer producer(memory.view());
    std::array<std::uint8_t, 700> body;
    for (std::uint64_t seq = 1; seq <= kMessages;) {
      const std::size_t size = seq * 37 % body.size();
      std::fill_n(body.begin(), size, static_cast<std::uint8_t>(seq));
      if (producer.push(7, seq, Bytes(body.data(), size))) {
        ++seq;
      } else {
        std::this_thread::yield();
      }
    }
  });
  shm::Consumer consumer(memory.view());
  auto message = std::make_unique<shm::Message>();
  for (std::uint64_t seq = 1; seq <= kMessages;) {
    const shm::PopResult result = consumer.pop(*message);
    if (result == shm::PopResult::kEmpty) {
      std::this_thread::yield();
      continue;
    }
    EXPECT_EQ(result, shm::PopResult::kMessage);
    EXPECT_EQ(message->header.seq, seq);
    EXPECT_EQ(message->body().size(), seq * 37 % 700);
    for (const std::uint8_t byte : message->body()) {
      if (byte != static_cast<std::uint8_t>(seq)) FAIL() << "torn at " << seq;
    }
    ++seq;
  }
  sender.join();
  EXPECT_EQ(consumer.pop(*message), shm::PopResult::kEmpty);
}

}  // namespace
}  // namespace turnpike::test
