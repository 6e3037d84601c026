// SPDX-License-Identifier: BSD-3-Clause
// The ring against a queue that cannot be wrong: every start position, every fill and every message size.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "tests/unit/shm/ring_memory.hpp"

namespace turnpike::test {
namespace {

using shm::cells_needed;
using shm::kCellSize;
using shm::PopResult;

constexpr std::uint32_t kCells = 8;

std::vector<std::uint8_t> body_of(std::size_t size, std::uint8_t seed) {
  std::vector<std::uint8_t> body(size);
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(seed + i * 31);
  return body;
}

// Moves an empty ring to `start` by single-cell messages.
void rotate(shm::Producer& producer, shm::Consumer& consumer, shm::Message& message, std::uint32_t start) {
  for (std::uint32_t i = 0; i < start; ++i) {
    ASSERT_TRUE(producer.push(1, 0, {}));
    ASSERT_EQ(consumer.pop(message), PopResult::kMessage);
  }
}

TEST(Ring, every_start_fill_and_size_against_a_model) {
  auto message = std::make_unique<shm::Message>();
  // Sizes around every boundary of cells, up to more than the ring takes.
  std::vector<std::size_t> sizes;
  for (std::uint32_t cells = 1; cells <= kCells + 1; ++cells) {
    const std::size_t full = std::size_t{cells} * kCellSize - sizeof(shm::MessageHeader);
    for (const std::size_t size : {full - 1, full, full + 1}) sizes.push_back(size);
  }
  sizes.push_back(0);
  std::size_t tried = 0;
  for (std::uint32_t start = 0; start < kCells; ++start) {
    for (std::uint32_t fill = 0; fill <= kCells; ++fill) {
      for (const std::size_t size : sizes) {
        RingMemory memory(kCells);
        shm::Producer producer(memory.view());
        shm::Consumer consumer(memory.view());
        rotate(producer, consumer, *message, start);
        for (std::uint32_t i = 0; i < fill; ++i) ASSERT_TRUE(producer.push(2, i, body_of(i, 7)));
        const auto body = body_of(size, 99);
        const std::size_t split = size / 3;
        const bool fits = fill + cells_needed(static_cast<std::uint32_t>(size)) <= kCells;
        const Bytes all(body);
        ASSERT_EQ(producer.push(3, 1234, all.first(split), all.subspan(split)), fits)
            << start << " " << fill << " " << size;
        for (std::uint32_t i = 0; i < fill; ++i) {
          ASSERT_EQ(consumer.pop(*message), PopResult::kMessage);
          ASSERT_EQ(message->header.seq, i);
          ASSERT_EQ(std::vector<std::uint8_t>(message->body().begin(), message->body().end()), body_of(i, 7));
        }
        if (fits) {
          ASSERT_EQ(consumer.pop(*message), PopResult::kMessage);
          ASSERT_EQ(message->header.kind, 3);
          ASSERT_EQ(message->header.seq, 1234u);
          ASSERT_EQ(std::vector<std::uint8_t>(message->body().begin(), message->body().end()), body);
        }
        ASSERT_EQ(consumer.pop(*message), PopResult::kEmpty);
        ASSERT_EQ(producer.used(), 0u);
        ++tried;
      }
    }
  }
  EXPECT_EQ(tried, kCells * (kCells + 1) * sizes.size());
}

TEST(Ring, random_walk_against_a_model) {
  std::mt19937 random(8);
  RingMemory memory(16);
  shm::Producer producer(memory.view());
  shm::Consumer consumer(memory.view());
  auto message = std::make_unique<shm::Message>();
  std::deque<std::vector<std::uint8_t>> model;
  std::uint32_t used = 0;
  for (std::uint64_t step = 0; step < 200'000; ++step) {
    if (random() % 2 == 0) {
      const auto body = body_of(random() % 1200, static_cast<std::uint8_t>(step));
      const std::uint32_t cells = cells_needed(static_cast<std::uint32_t>(body.size()));
      ASSERT_EQ(producer.push(1, step, body), used + cells <= 16);
      if (used + cells <= 16) {
        model.push_back(body);
        used += cells;
      }
    } else {
      const PopResult result = consumer.pop(*message);
      ASSERT_EQ(result, model.empty() ? PopResult::kEmpty : PopResult::kMessage);
      if (model.empty()) continue;
      ASSERT_EQ(std::vector<std::uint8_t>(message->body().begin(), message->body().end()), model.front());
      used -= cells_needed(static_cast<std::uint32_t>(model.front().size()));
      model.pop_front();
    }
    ASSERT_EQ(producer.used(), used);
  }
}

TEST(Ring, the_largest_message_and_one_byte_more) {
  RingMemory memory(512);
  shm::Producer producer(memory.view());
  shm::Consumer consumer(memory.view());
  auto message = std::make_unique<shm::Message>();
  const auto largest = body_of(shm::kMaxBody, 3);
  EXPECT_FALSE(producer.push(1, 0, body_of(shm::kMaxBody + 1, 3)));
  ASSERT_TRUE(producer.push(1, 0, largest));
  ASSERT_EQ(consumer.pop(*message), PopResult::kMessage);
  EXPECT_EQ(std::vector<std::uint8_t>(message->body().begin(), message->body().end()), largest);
}

TEST(Ring, a_producer_that_lies_is_skipped_and_work_goes_on) {
  auto message = std::make_unique<shm::Message>();
  RingMemory memory(kCells);
  shm::Consumer consumer(memory.view());
  // A tail further ahead than the ring is long.
  memory.indices().tail.store(kCells + 1);
  EXPECT_EQ(consumer.pop(*message), PopResult::kCorrupt);
  EXPECT_EQ(consumer.pop(*message), PopResult::kEmpty);
  // A body larger than any, and one larger than what was published.
  for (const std::uint32_t size : {shm::kMaxBody + 1, 0xFFFFFFFFu, 2 * kCellSize}) {
    shm::Producer producer(memory.view());
    ASSERT_TRUE(producer.push(1, 0, body_of(4, 1)));
    const std::uint64_t cell = memory.indices().head.load() % kCells;
    std::memcpy(memory.cells().data() + cell * kCellSize + 4, &size, sizeof size);
    EXPECT_EQ(consumer.pop(*message), PopResult::kCorrupt);
    ASSERT_TRUE(producer.push(1, 5, body_of(4, 2)));
    ASSERT_EQ(consumer.pop(*message), PopResult::kMessage);
    EXPECT_EQ(message->header.seq, 5u);
  }
}

TEST(Ring, a_consumer_that_lies_only_makes_the_ring_look_full) {
  RingMemory memory(kCells);
  shm::Producer producer(memory.view());
  for (std::uint32_t i = 0; i < kCells; ++i) ASSERT_TRUE(producer.push(1, 0, {}));
  for (const std::uint64_t head : {std::uint64_t{9}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    memory.indices().head.store(head);
    EXPECT_FALSE(producer.push(1, 0, {})) << head;
  }
}

TEST(Ring, both_sides_go_on_after_the_other_side_was_replaced) {
  RingMemory memory(kCells);
  auto message = std::make_unique<shm::Message>();
  shm::Producer first(memory.view());
  shm::Consumer consumer(memory.view());
  ASSERT_TRUE(first.push(1, 1, {}));
  shm::Producer second(memory.view());
  ASSERT_TRUE(second.push(1, 2, {}));
  shm::Consumer replaced(memory.view());
  for (const std::uint64_t seq : {1u, 2u}) {
    ASSERT_EQ(replaced.pop(*message), PopResult::kMessage);
    EXPECT_EQ(message->header.seq, seq);
  }
}

}  // namespace
}  // namespace turnpike::test
