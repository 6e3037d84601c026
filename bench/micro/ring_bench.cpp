// SPDX-License-Identifier: BSD-3-Clause
// A message through the ring between the processes: copied in, and out again because the other side is not
// trusted. Rivals that only serve threads of one process: rte_ring, which passes pointers to messages that
// stay where they are, and a queue of vectors behind a mutex. All on one CPU, 32 in and then 32 out: what two
// CPUs' caches cost each other is not in it.
#include <rte_ring.h>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "bench/micro/measure.hpp"
#include "common/shm/spsc_ring.hpp"

namespace turnpike::bench {
namespace {

constexpr std::uint32_t kCells = 1024;
constexpr std::uint16_t kAnyKind = 1;

std::vector<std::uint8_t> message_of(const benchmark::State& state) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>(state.range(0)), 0x5A);
}

void ring(benchmark::State& state) {
  const auto indices = std::make_unique<shm::RingIndices>();
  std::vector<std::uint8_t> cells(std::size_t{kCells} * shm::kCellSize);
  const shm::RingView view{indices.get(), cells.data(), kCells};
  shm::Producer producer(view);
  shm::Consumer consumer(view);
  const auto received = std::make_unique<shm::Message>();
  const auto message = message_of(state);
  std::size_t passed = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) producer.push(kAnyKind, 0, message);
    while (consumer.pop(*received) == shm::PopResult::kMessage) {
      benchmark::DoNotOptimize(received->storage.data());
      ++passed;
    }
  }
  if (passed != kBatch * state.iterations()) return state.SkipWithError("messages were lost");
  count_items(state, kBatch);
}

void ring_of_pointers(benchmark::State& state) {
  const std::unique_ptr<rte_ring, decltype(&rte_ring_free)> ring(
      rte_ring_create("bench", kCells, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ), rte_ring_free);
  if (!ring) return state.SkipWithError("no memory for an rte_ring");
  const auto message = message_of(state);
  std::vector<std::vector<std::uint8_t>> buffers(kCells, message);
  std::size_t next = 0;
  std::size_t passed = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      std::uint8_t* buffer = buffers[next++ % kCells].data();
      std::memcpy(buffer, message.data(), message.size());
      rte_ring_sp_enqueue(ring.get(), buffer);
    }
    void* received = nullptr;
    while (rte_ring_sc_dequeue(ring.get(), &received) == 0) {
      benchmark::DoNotOptimize(received);
      ++passed;
    }
  }
  if (passed != kBatch * state.iterations()) return state.SkipWithError("messages were lost");
  count_items(state, kBatch);
}

class MutexQueue {
public:
  void push(const std::vector<std::uint8_t>& message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(message);
  }
  bool pop(std::vector<std::uint8_t>& message) {
    const std::lock_guard lock(mutex_);
    if (messages_.empty()) return false;
    message = std::move(messages_.front());
    messages_.pop_front();
    return true;
  }

private:
  std::mutex mutex_;
  std::deque<std::vector<std::uint8_t>> messages_;
};

void ring_mutex(benchmark::State& state) {
  MutexQueue queue;
  const auto message = message_of(state);
  std::vector<std::uint8_t> received;
  std::size_t passed = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBatch; ++i) queue.push(message);
    while (queue.pop(received)) {
      benchmark::DoNotOptimize(received.data());
      ++passed;
    }
  }
  if (passed != kBatch * state.iterations()) return state.SkipWithError("messages were lost");
  count_items(state, kBatch);
}

void ring_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgName("payload")->Arg(112)->Arg(1200);  // the fact of an allocation; a datagram
}

BENCHMARK(ring)->Name("ring/turnpike")->Apply(ring_sizes);
BENCHMARK(ring_of_pointers)->Name("ring/rte_ring")->Apply(ring_sizes);
BENCHMARK(ring_mutex)->Name("ring/mutex-queue")->Apply(ring_sizes);

}  // namespace
}  // namespace turnpike::bench
