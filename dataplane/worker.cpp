// SPDX-License-Identifier: BSD-3-Clause
// The worker's loop: bursts from its queues through the stages, then a bounded look at its inbox.
#include "dataplane/worker.hpp"

#include <rte_pause.h>
#include <rte_prefetch.h>
#include <sys/prctl.h>
#include <time.h>

#include "dataplane/inbox.hpp"
#include "dataplane/rewrite.hpp"
#include "dataplane/stages/stages.hpp"

namespace turnpike::dataplane {
namespace {

using shm::Counter;

// Idle passes before the worker pauses, and before it sleeps. A pass over empty queues is well under a
// microsecond.
constexpr std::uint32_t kSpinPasses = 2000;
constexpr std::uint32_t kPausePasses = 4000;
constexpr int kDozeMs = 50;  // in epoll, so that housekeeping goes on
// Bursts of kernel sockets that go through the stages before what they produced is sent: the more, the longer
// its runs for one destination.
constexpr int kSocketBursts = 4;
constexpr long kSleepNs = 50'000;  // with wake-up latency below the 100 µs that the first packet may take

}  // namespace

void relay(Lcore& lcore, Batch& batch) noexcept {
  StageClock& clock = lcore.stage_clock;
  if (batch.client_channel.count != 0) client_channel(lcore, batch);
  clock.took(Stage::kChannel);
  if (batch.peer.count != 0) peer_data(lcore, batch);
  clock.took(Stage::kPeer);
  if (batch.client_stun.count != 0) client_stun(lcore, batch);
  clock.took(Stage::kStun);
  if (batch.icmp.count != 0) icmp_error(lcore, batch);
  clock.took(Stage::kOther);
}

void process(Lcore& lcore, std::span<rte_mbuf*> frames) noexcept {
  lcore.batch.clear();
  for (rte_mbuf* frame : frames) rte_prefetch0(rte_pktmbuf_mtod(frame, void*));
  // What a kernel socket delivers may have been put together from fragments: it may be fragmented again.
  classify_burst(lcore, lcore.batch, frames, lcore.kernel_sockets);
  lcore.stage_clock.took(Stage::kClassify);
  relay(lcore, lcore.batch);
  if (lcore.hairpin_count != 0) relay_hairpins(lcore, lcore.batch);
}

std::uint32_t Worker::receive() noexcept {
  std::uint32_t received = 0;
  std::array<rte_mbuf*, kBurst> frames;
  for (const auto& [port, queue] : receive_queues) {
    for (int burst = lcore.kernel_sockets ? kSocketBursts : 1; burst > 0; --burst) {
      const std::uint16_t count = port->rx(queue, frames);
      if (count == 0) break;
      std::uint64_t bytes = 0;
      for (std::uint16_t i = 0; i < count; ++i) {
        frames[i]->port = port->index;  // our number, not the driver's
        bytes += frames[i]->pkt_len;
      }
      lcore.count(Counter::k_rx_packets, count);
      lcore.count(Counter::k_rx_bytes, bytes);
      lcore.count(
          static_cast<Counter>(static_cast<std::size_t>(Counter::k_perf_burst_1) + shm::bucket_of(count)));
      lcore.stage_clock.took(Stage::kReceive);
      process(lcore, {frames.data(), count});
      received += count;
    }
  }
  lcore.stage_clock.took(Stage::kReceive);  // of queues that had nothing
  return received;
}

std::uint32_t Worker::pass() noexcept {
  lcore.now_ns = lcore.clock->now_ns();
  lcore.now = tick_of(lcore.now_ns);
  lcore.stage_clock.begin_pass();
  const std::uint32_t received = receive();
  std::uint32_t work = received;
  if (lcore.workers > 1) work += take_over(lcore);
  for (const Port* port : host_ports) work += from_host(lcore, *port);
  work += drain_inbox(lcore);
  lcore.stage_clock.took(Stage::kOther);
  if (work != 0) {
    flush(lcore);
    lcore.stage_clock.took(Stage::kTransmit);
    lcore.stage_clock.publish(lcore.published->counts, received);
    if (lcore.free_count != 0) lcore.free_all();
    wake_control(lcore);
    wake_main(lcore);
  }
  return work;
}

// A few times a second: counting the pool's free buffers visits every lcore's cache.
void Worker::housekeeping() noexcept {
  if (housekept_ == lcore.now) return;
  housekept_ = lcore.now;
  lcore.published->heartbeat_ns.store(lcore.now_ns, std::memory_order_relaxed);
  shm::SharedCounter& level =
      lcore.published->counts.counters[static_cast<std::size_t>(Counter::k_mbufs_in_use)];
  level.store(rte_mempool_in_use_count(lcore.mbufs), std::memory_order_relaxed);
  lcore.reassembly->expire(lcore);
  for (const auto& port : lcore.ports) {
    if (const char* complaint = port->complaint(lcore.index)) lcore.errors.raise(complaint, lcore.now_ns);
  }
}

// From the start of one pass to the start of the next; only after a busy pass, because idle ones sleep.
void Worker::note_loop_time(std::uint64_t before_ns) noexcept {
  if (before_ns == 0) return;
  const std::uint64_t loop_ns = lcore.now_ns - before_ns;
  lcore.count(Counter::k_perf_busy_ns, loop_ns);
  shm::raise_relaxed(lcore.published->max_loop_ns, loop_ns);
}

void Worker::idle(std::uint32_t passes) noexcept {
  if (poll_ == PollMode::kAlways || passes < kSpinPasses) return;
  if (passes < kPausePasses) return rte_pause();
  lcore.count(Counter::k_sleeps);
  const timespec duration{0, kSleepNs};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, nullptr);
}

// Looks for readable sockets, and sleeps until there is one unless something else waits. The order is
// RegionHeader's: say so, fence, look once more, sleep.
void Worker::doze() noexcept {
  Port& port = *lcore.ports.front();
  if (port.has_more(lcore.index)) return;
  lcore.published->asleep.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // Nothing is handed over between workers: the kernel steers.
  const bool awake =
      poll_ == PollMode::kAlways || !lcore.commands.empty() || lcore.stop.load(std::memory_order_relaxed);
  port.wait(lcore.index, awake ? 0 : kDozeMs);
  lcore.published->asleep.store(0, std::memory_order_relaxed);
}

void Worker::run() noexcept {
  prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);  // a sleep of 50 µs must not become 100
  std::uint32_t idle_passes = 0;
  while (!lcore.stop.load(std::memory_order_relaxed)) {
    const std::uint64_t before_ns = lcore.now_ns;
    const bool was_busy = idle_passes == 0;
    const std::uint32_t work = pass();
    if (was_busy) note_loop_time(before_ns);
    lcore.count(Counter::k_loops);
    if (work != 0) lcore.count(Counter::k_busy_loops);
    idle_passes = work != 0 ? 0 : idle_passes + 1;
    housekeeping();
    lcore.kernel_sockets ? doze() : idle(idle_passes);
  }
  flush(lcore);
  lcore.free_all();
}

}  // namespace turnpike::dataplane
