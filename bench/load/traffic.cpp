// SPDX-License-Identifier: BSD-3-Clause
// The loop: a burst in, a burst out, the clock.
#include "bench/load/traffic.hpp"

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include <algorithm>

namespace turnpike::load {
namespace {

constexpr std::uint64_t kGivenUpMs = 200;  // without any arrival while the window is full
constexpr std::uint64_t kDrainMs = 500;    // likewise, at the end

}  // namespace

Traffic::Traffic(MemifPort& port, const Options& options, Outbox& outbox, Inspector& inspector)
    : port_(port),
      options_(options),
      outbox_(outbox),
      inspector_(inspector),
      hz_(rte_get_tsc_hz()),
      ns_per_cycle_(1e9 / static_cast<double>(hz_)) {}

Traffic::~Traffic() {
  rte_pktmbuf_free_bulk(burst_.data() + burst_at_, static_cast<unsigned>(burst_end_ - burst_at_));
}

bool Traffic::run(const std::atomic<bool>& stop, const EachSecond& each_second) {
  start_ = last_arrival_ = rte_rdtsc();
  const std::uint64_t warm = options_.warmup * hz_;
  bool there = warm == 0 || phase(warm, stop, each_second);
  begin_ = now_;
  const LatencySnapshots warm_ones = snapshots_of(inspector_.latencies());
  there = there && phase(warm + options_.seconds * hz_, stop, each_second);
  end_ = now_;
  if (there) drain();
  latencies_ = snapshots_of(inspector_.latencies());
  for (std::size_t i = 0; i < kDirections; ++i) latencies_[i].subtract(warm_ones[i]);
  return there;
}

bool Traffic::phase(std::uint64_t until, const std::atomic<bool>& stop, const EachSecond& each_second) {
  Sample second = now_;
  while (now_.cycles < until && !stop.load(std::memory_order_relaxed)) {
    const bool moved = (receive() | transmit()) != 0;
    // Paced runs leave the core to others between packets.
    if (!moved && options_.rate != 0) rte_delay_us_sleep(20);
    const std::uint64_t cycles = rte_rdtsc() - start_;
    if (!moved) {
      now_.idle += cycles - now_.cycles;
      give_up_lost();
    }
    now_.cycles = cycles;
    if (cycles / hz_ == second.cycles / hz_) continue;
    each_second(second, now_);
    second = now_;
    if (!port_.up()) return false;
  }
  return true;
}

// The last packets come in.
void Traffic::drain() {
  while (burst_at_ != burst_end_ && port_.up()) {
    transmit();
    receive();
  }
  last_arrival_ = rte_rdtsc();
  while (total(now_.received) < total(now_.sent) && rte_rdtsc() - last_arrival_ < kDrainMs * hz_ / 1000) {
    receive();
  }
}

std::uint16_t Traffic::receive() noexcept {
  std::array<rte_mbuf*, 64> frames;
  const std::uint16_t count = port_.receive(std::span(frames.data(), options_.burst));
  if (count == 0) return 0;
  if (options_.verify != 0 && bursts_++ % options_.verify == 0) {
    const std::uint64_t now = now_ns();
    for (std::uint16_t i = 0; i < count; ++i) inspector_.inspect(bytes_of(frames[i]), now);
  } else {
    std::array<std::uint64_t, kDirections + 1> glances{};
    for (std::uint16_t i = 0; i < count; ++i) ++glances[inspector_.glance(bytes_of(frames[i]))];
    inspector_.count(glances);
  }
  rte_pktmbuf_free_bulk(frames.data(), count);
  now_.received = inspector_.arrivals().received;
  last_arrival_ = rte_rdtsc();
  return count;
}

// How many more of this direction may be under way.
std::uint16_t Traffic::room(Direction direction) const noexcept {
  const std::uint64_t settled = now_.received[direction] + presumed_lost_[direction];
  const std::uint64_t under_way = std::max(now_.sent[direction], settled) - settled;
  return static_cast<std::uint16_t>(std::min<std::uint64_t>(
      options_.window - std::min<std::uint64_t>(under_way, options_.window), options_.burst / 2));
}

// What fills the window and does not come will not come: else a lost packet would narrow it for good.
void Traffic::give_up_lost() noexcept {
  if (rte_rdtsc() - last_arrival_ < kGivenUpMs * hz_ / 1000) return;
  for (const Direction direction : {kToPeer, kToClient}) {
    if (room(direction) == 0) presumed_lost_[direction] = now_.sent[direction] - now_.received[direction];
  }
}

std::uint64_t Traffic::now_ns() const noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(rte_rdtsc() - start_) * ns_per_cycle_);
}

// The high half of a linear congruential generator: good enough to defeat caches, and cheap.
std::uint32_t Traffic::random_session() noexcept {
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<std::uint32_t>((random_ >> 32) * options_.sessions >> 32);
}

// The directions take turns as far as their windows allow.
void Traffic::make_burst(std::uint16_t size) noexcept {
  std::array<std::uint16_t, kDirections> left{room(kToPeer), room(kToClient)};
  size = std::min<std::uint16_t>(size, left[kToPeer] + left[kToClient]);
  burst_at_ = burst_end_ = 0;
  if (size == 0 || !port_.allocate(std::span(burst_.data(), size))) return;
  std::array<std::uint32_t, 64> sessions;
  Direction turn = (made_ & 1) == 0 ? kToPeer : kToClient;
  for (std::uint16_t i = 0; i < size; ++i) {
    if (left[turn] == 0) turn = turn == kToPeer ? kToClient : kToPeer;
    --left[turn];
    burst_direction_[i] = turn;
    sessions[i] = random_session();
    const auto* lines = static_cast<const std::uint8_t*>(outbox_.address(turn, sessions[i]));
    for (std::size_t at = 0; at < outbox_.frame_size(turn); at += kCacheLine) rte_prefetch0(lines + at);
    turn = turn == kToPeer ? kToClient : kToPeer;
  }
  const std::uint64_t now = now_ns();
  for (std::uint16_t i = 0; i < size; ++i) {
    const Direction direction = burst_direction_[i];
    rte_mbuf* mbuf = burst_[i];
    mbuf->data_len = static_cast<std::uint16_t>(outbox_.frame_size(direction));
    mbuf->pkt_len = mbuf->data_len;
    outbox_.write(direction, sessions[i], now, rte_pktmbuf_mtod(mbuf, std::uint8_t*));
  }
  burst_end_ = size;
  made_ += size;
}

std::uint16_t Traffic::transmit() noexcept {
  if (burst_at_ == burst_end_) {
    std::uint64_t due = options_.burst;
    if (options_.rate != 0) {
      const auto scheduled = static_cast<std::uint64_t>(
          static_cast<double>(now_.cycles) / static_cast<double>(hz_) * static_cast<double>(options_.rate));
      due = std::min(scheduled - std::min(scheduled, made_), due);
    }
    make_burst(static_cast<std::uint16_t>(due));
  }
  if (burst_at_ == burst_end_) return 0;
  const std::uint16_t count =
      port_.send(std::span(burst_.data() + burst_at_, static_cast<std::size_t>(burst_end_ - burst_at_)));
  for (std::uint16_t i = 0; i < count; ++i) ++now_.sent[burst_direction_[burst_at_ + i]];
  burst_at_ += count;
  return count;
}

}  // namespace turnpike::load
