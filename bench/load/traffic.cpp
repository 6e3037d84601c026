// SPDX-License-Identifier: BSD-3-Clause
// The loop: a burst in, a burst out, the clock.
#include "bench/load/traffic.hpp"

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include <algorithm>

namespace turnpike::load {
namespace {

constexpr std::uint64_t kGivenUpMs =
    1000;  // without any arrival while the window is full: nobody stalls for so long
constexpr std::uint64_t kDrainMs = 500;   // likewise, at the end
constexpr std::uint64_t kCatchUpMs = 20;  // of a paced run that is late; the rest is not sent

}  // namespace

Traffic::Traffic(Port& port, const Options& options, Outbox& outbox, Inspector& inspector, Beside& beside)
    : port_(port), options_(options), outbox_(outbox), inspector_(inspector), beside_(beside) {}

Result<std::unique_ptr<Traffic>> Traffic::make(Port& port, const Options& options, Outbox& outbox,
                                               Inspector& inspector, Beside& beside) {
  std::unique_ptr<Traffic> traffic(new Traffic(port, options, outbox, inspector, beside));
  for (const auto& [direction, name] : {std::pair(kToPeer, "to-peer"), {kToClient, "to-client"}}) {
    Lane& lane = traffic->lanes_[direction];
    lane.frames = port.make_frames(name, outbox.frame(direction));
    if (lane.frames == nullptr) return Error{"no memory for the frames that are sent"};
    traffic->choose(direction, kMaxBurst);
  }
  if (!options.counts.empty()) {
    if (auto opened = traffic->shared_.open(options.counts); !opened) return Error{opened.error()};
  }
  return traffic;
}

Traffic::~Traffic() {
  rte_pktmbuf_free_bulk(burst_.data() + burst_at_, static_cast<unsigned>(burst_end_ - burst_at_));
}

bool Traffic::run(std::uint64_t rate, const std::atomic<bool>& stop, const EachSecond& each_second) {
  rate_ = rate;
  made_ = next_tick_ = now_.cycles = last_arrival_ = 0;
  clock_.restart();
  const std::uint64_t warm = options_.warmup * clock_.hz();
  bool there = warm == 0 || phase(warm, stop, each_second);
  begin_ = now_;
  const LatencySnapshots warm_ones = snapshots_of(inspector_.latencies());
  there = there && phase(warm + options_.seconds * clock_.hz(), stop, each_second);
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
    if (!moved && rate_ != 0 && options_.rest_us != 0) rte_delay_us_sleep(options_.rest_us);
    const std::uint64_t cycles = clock_.tick();
    if (!moved) now_.idle += cycles - now_.cycles;
    now_.cycles = cycles;
    if (!moved) give_up_lost();
    if (cycles >= next_tick_) {
      beside_.tick();
      next_tick_ = cycles + clock_.hz() / 1000;
    }
    if (auto* counts = shared_.counts()) {
      counts->sent = total(now_.sent);
      counts->received = total(now_.received);
    }
    if (cycles / clock_.hz() == second.cycles / clock_.hz()) continue;
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
  last_arrival_ = clock_.tick();
  while (total(now_.received) < total(now_.sent) &&
         clock_.tick() - last_arrival_ < kDrainMs * clock_.hz() / 1000) {
    receive();
  }
}

std::uint16_t Traffic::receive() {
  std::array<rte_mbuf*, kMaxBurst> frames;
  const std::uint16_t count = port_.receive(std::span(frames.data(), options_.burst));
  if (count == 0) return 0;
  judge(std::span(frames.data(), count));
  rte_pktmbuf_free_bulk(frames.data(), count);
  now_.received = inspector_.arrivals().received;
  last_arrival_ = clock_.tick();
  return count;
}

void Traffic::judge(std::span<rte_mbuf*> frames) {
  const bool whole = options_.verify != 0 && bursts_++ % options_.verify == 0;
  const bool all_may_be_beside = beside_.expects();
  if (whole) clock_.tick();  // so that a pause is no latency
  const std::uint64_t now = whole ? clock_.now_ns() : 0;
  std::array<std::uint64_t, kDirections + 1> glances{};
  for (const rte_mbuf* frame : frames) {
    const Direction direction = inspector_.glance(frame->data_len);
    if ((direction == kDirections || all_may_be_beside) && beside_.take(bytes_of(frame))) continue;
    if (whole) {
      inspector_.inspect(bytes_of(frame), now);
    } else {
      ++glances[direction];
    }
  }
  inspector_.count(glances);
}

// How many more of this direction may be under way. What is paced leaves when it is due, but not into rings
// that would overflow.
std::uint64_t Traffic::room(Direction direction) const noexcept {
  if (rate_ != 0 && options_.port.has_neighbours()) return options_.burst;
  const std::uint64_t settled = now_.received[direction] + now_.given_up[direction];
  const std::uint64_t under_way = std::max(now_.sent[direction], settled) - settled;
  return options_.window - std::min<std::uint64_t>(under_way, options_.window);
}

// What fills the window and does not come will not come: else a lost packet would narrow it for good.
void Traffic::give_up_lost() noexcept {
  if (now_.cycles - std::min(now_.cycles, last_arrival_) < kGivenUpMs * clock_.hz() / 1000) return;
  for (const Direction direction : {kToPeer, kToClient}) {
    if (room(direction) == 0) now_.given_up[direction] = now_.sent[direction] - now_.received[direction];
  }
}

// The high half of a linear congruential generator: good enough to defeat caches, and cheap.
std::uint32_t Traffic::random_session() noexcept {
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<std::uint32_t>((random_ >> 32) * options_.sessions >> 32);
}

// The first sessions of the lane's next burst; their records come into the cache until then.
void Traffic::choose(Direction direction, std::uint16_t count) noexcept {
  const std::size_t size = outbox_.record_size(direction);
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::uint32_t session = lanes_[direction].next[i] = random_session();
    const auto* record = static_cast<const std::uint8_t*>(outbox_.address(direction, session));
    for (std::size_t at = 0; at < size; at += kCacheLine) rte_prefetch0(record + at);
  }
}

// Into the lane's array; how many.
std::uint16_t Traffic::make_frames(Direction direction, std::uint16_t size) noexcept {
  Lane& lane = lanes_[direction];
  if (size == 0 || rte_pktmbuf_alloc_bulk(lane.frames, lane.made.data(), size) != 0) return 0;
  const auto length = static_cast<std::uint16_t>(outbox_.frame(direction).size());
  const std::uint64_t now = clock_.now_ns();
  for (std::uint16_t i = 0; i < size; ++i) {
    rte_mbuf* mbuf = lane.made[i];
    mbuf->data_len = length;
    mbuf->pkt_len = length;
    outbox_.write(direction, lane.next[i], now, rte_pktmbuf_mtod(mbuf, std::uint8_t*));
  }
  choose(direction, size);
  return size;
}

// Half of it for each direction as far as their windows allow, in turns.
void Traffic::make_burst(std::uint16_t size) noexcept {
  const auto half = static_cast<std::uint16_t>((size + (made_ & 1)) / 2);
  const auto to_peer =
      make_frames(kToPeer, static_cast<std::uint16_t>(std::min<std::uint64_t>(size - half, room(kToPeer))));
  const auto to_client =
      make_frames(kToClient, static_cast<std::uint16_t>(std::min<std::uint64_t>(half, room(kToClient))));
  burst_at_ = burst_end_ = 0;
  const auto put = [this](Direction direction, std::uint16_t index) {
    burst_[burst_end_] = lanes_[direction].made[index];
    burst_direction_[burst_end_++] = direction;
  };
  for (std::uint16_t i = 0; i < std::max(to_peer, to_client); ++i) {
    if (i < to_peer) put(kToPeer, i);
    if (i < to_client) put(kToClient, i);
  }
  made_ += burst_end_;
}

// How many packets have to leave by now.
std::uint64_t Traffic::due() noexcept {
  if (rate_ == 0) return options_.burst;
  const double per_cycle = static_cast<double>(rate_) / static_cast<double>(clock_.hz());
  const auto scheduled = static_cast<std::uint64_t>(static_cast<double>(now_.cycles) * per_cycle);
  const std::uint64_t most = rate_ * kCatchUpMs / 1000 + options_.burst;
  if (scheduled > made_ + most) made_ = scheduled - most;
  return scheduled - std::min(scheduled, made_);
}

std::uint16_t Traffic::transmit() noexcept {
  if (burst_at_ == burst_end_) {
    make_burst(static_cast<std::uint16_t>(std::min<std::uint64_t>(due(), options_.burst)));
  }
  if (burst_at_ == burst_end_) return 0;
  const std::uint16_t count =
      port_.send(std::span(burst_.data() + burst_at_, static_cast<std::size_t>(burst_end_ - burst_at_)));
  for (std::uint16_t i = 0; i < count; ++i) ++now_.sent[burst_direction_[burst_at_ + i]];
  burst_at_ += count;
  return count;
}

}  // namespace turnpike::load
