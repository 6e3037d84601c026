// SPDX-License-Identifier: BSD-3-Clause
// Frames made before, and the loop that sends them and takes what comes back.
#include "bench/load/port_flood.hpp"

#include <rte_cycles.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>

#include "bench/load/flood_frame.hpp"
#include "bench/load/flood_messages.hpp"
#include "bench/load/flood_sources.hpp"
#include "bench/load/neighbours.hpp"
#include "bench/load/sockets/pacer.hpp"

namespace turnpike::load {
namespace {

using Clock = Pacer::Clock;

constexpr unsigned kFrames = 2047;  // so many messages differ
constexpr unsigned kFrameCache = 256;
constexpr std::size_t kMaxFlood = 64;
constexpr int kAsks = 6;
constexpr std::chrono::milliseconds kAnswerTime{500};
constexpr std::chrono::milliseconds kLastAnswers{300};

// Before each frame's buffer; whoever sends and frees the frame leaves it alone.
struct Prepared {
  FrameChecksums checksums;
  std::uint16_t size;
};
constexpr std::uint16_t kPreparedSpace = RTE_ALIGN(sizeof(Prepared), RTE_MBUF_PRIV_ALIGN);

void prepare(rte_mempool*, void* frames, void* object, unsigned index) {
  const FloodFrame& frame = (*static_cast<const std::vector<FloodFrame>*>(frames))[index];
  auto* const mbuf = static_cast<rte_mbuf*>(object);
  new (rte_mbuf_to_priv(mbuf)) Prepared{frame.checksums, static_cast<std::uint16_t>(frame.bytes.size())};
  std::memcpy(static_cast<char*>(mbuf->buf_addr) + RTE_PKTMBUF_HEADROOM, frame.bytes.data(),
              frame.bytes.size());
}

class PortFlood {
public:
  PortFlood(Port& port, const Options& options)
      : port_(port),
        options_(options),
        messages_(options),
        sources_(options),
        neighbours_(options),
        bound_(options.sockets.flood == "wrong-password"),
        first_(sources_.fixed(0)) {}
  ~PortFlood() { rte_pktmbuf_free_bulk(burst_.data() + at_, end_ - at_); }

  Status prepare_frames() {
    std::vector<FloodFrame> frames;
    frames.reserve(kFrames);
    const std::uint32_t sources = bound_ ? sources_.fixed_count() : 1;
    for (std::uint32_t i = 0; i < sources; ++i) {
      const wire::Endpoint source = sources_.fixed(i);
      if (bound_ && !take_challenge(source)) return Error{"the server asks nobody for a password"};
      for (unsigned end = kFrames * (i + 1) / sources; frames.size() < end;) {
        frames.emplace_back(departure(source, messages_.next()));
      }
    }
    pool_ = rte_pktmbuf_pool_create("flood", kFrames, kFrameCache, kPreparedSpace, RTE_MBUF_DEFAULT_BUF_SIZE,
                                    SOCKET_ID_ANY);
    if (pool_ == nullptr) return Error{"no memory for the frames that are sent"};
    rte_mempool_obj_iter(pool_, prepare, &frames);
    return Unit{};
  }

  // False when the other side went away.
  bool run(const std::atomic<bool>& stop) {
    const auto start = Clock::now();
    const auto end = start + std::chrono::seconds(options_.seconds);
    const auto burst = std::min<std::size_t>(options_.burst, kMaxFlood);
    Pacer pacer(std::max<std::uint64_t>(options_.rate, 1), static_cast<std::uint32_t>(burst), start);
    auto now = start;
    auto second = start;
    for (; now < end && !stop.load(std::memory_order_relaxed); now = Clock::now()) {
      if (now - second >= std::chrono::seconds(1)) {
        if (!port_.up()) break;
        second = now;
      }
      if (at_ == end_ && (options_.rate == 0 || pacer.due(now))) make_burst(burst);
      const bool moved = send() | (receive() != 0);
      if (!moved && options_.rate != 0 && options_.rest_us != 0) rte_delay_us_sleep(options_.rest_us);
    }
    outcome_.seconds = std::chrono::duration<double>(now - start).count();
    outcome_.missed = pacer.missed();
    return port_.up();
  }

  FloodOutcome finish() {
    const auto end = Clock::now() + kLastAnswers;
    while (Clock::now() < end) {
      if (receive() == 0) rte_delay_us_sleep(options_.rest_us);
    }
    outcome_.answers_binding = ask(sources_.fixed(0), messages_.binding()).has_value();
    return std::move(outcome_);
  }

private:
  Departure departure(const wire::Endpoint& source, Bytes message) const {
    return {options_.own_mac, options_.relay_mac, source, options_.server, message};
  }

  bool take_challenge(const wire::Endpoint& source) {
    const auto answer = ask(source, messages_.allocate());
    const auto view = answer ? stun::MessageView::parse(*answer) : std::nullopt;
    return view && messages_.take_challenge(*view);
  }

  void make_burst(std::size_t size) {
    at_ = end_ = 0;
    if (rte_pktmbuf_alloc_bulk(pool_, burst_.data(), static_cast<unsigned>(size)) != 0) return;
    end_ = static_cast<unsigned>(size);
    for (rte_mbuf* const mbuf : std::span(burst_.data(), size)) {
      const auto& made = *static_cast<const Prepared*>(rte_mbuf_to_priv(mbuf));
      mbuf->data_len = made.size;
      mbuf->pkt_len = made.size;
      if (bound_) continue;
      write_source(rte_pktmbuf_mtod(mbuf, std::uint8_t*), made.checksums, first_, sources_.next());
    }
  }

  // Whether anything left; what did not is tried again.
  bool send() {
    if (at_ == end_) return false;
    std::array<std::uint16_t, kMaxFlood> sizes;
    for (unsigned i = at_; i < end_; ++i) sizes[i] = burst_[i]->data_len;
    const std::uint16_t count = port_.send(std::span(burst_.data() + at_, end_ - at_));
    const std::size_t headers = frame_size(departure(first_, {}));
    for (unsigned i = at_; i < at_ + count; ++i) outcome_.sent_bytes += sizes[i] - headers;
    outcome_.sent += count;
    at_ += count;
    return count != 0;
  }

  std::uint16_t receive() {
    return take([this](const Arrival& arrival) { outcome_.take(arrival.payload); });
  }

  // Answers of the server to the flood's sources; neighbours are answered. How many frames there were.
  template <typename Take>
  std::uint16_t take(const Take& take_answer) {
    std::array<rte_mbuf*, kMaxFlood> frames;
    const std::uint16_t count = port_.receive(frames);
    for (std::uint16_t i = 0; i < count; ++i) {
      const Bytes frame = bytes_of(frames[i]);
      const auto arrival = parse_udp(frame);
      if (!arrival) {
        answer_neighbour(frame);
      } else if (arrival->source == options_.server && arrival->mac == options_.own_mac) {
        take_answer(*arrival);
      }
    }
    rte_pktmbuf_free_bulk(frames.data(), count);
    return count;
  }

  void answer_neighbour(Bytes frame) {
    if (!options_.port.has_neighbours()) return;
    const auto answer = neighbours_.answer(frame);
    if (!answer) return;
    port_.send(answer->size(), [&](std::uint8_t* out) { std::memcpy(out, answer->data(), answer->size()); });
  }

  // What is answered to a request, asked again when nothing is.
  std::optional<std::vector<std::uint8_t>> ask(const wire::Endpoint& source, Bytes request) {
    const std::vector<std::uint8_t> message(request.begin(), request.end());
    const auto asked = stun::MessageView::parse(message);
    std::optional<std::vector<std::uint8_t>> found;
    const auto look = [&](const Arrival& arrival) {
      const auto view = stun::MessageView::parse(arrival.payload);
      if (!view || !std::ranges::equal(view->transaction_id(), asked->transaction_id())) return;
      found.emplace(arrival.payload.begin(), arrival.payload.end());
    };
    const Departure to_server = departure(source, message);
    for (int tries = 0; tries < kAsks && asked && !found; ++tries) {
      port_.send(frame_size(to_server), [&](std::uint8_t* out) { write_udp(to_server, out); });
      for (const auto end = Clock::now() + kAnswerTime; !found && Clock::now() < end;) {
        if (take(look) == 0) rte_delay_us_sleep(options_.rest_us);
      }
    }
    return found;
  }

  Port& port_;
  const Options& options_;
  FloodMessages messages_;
  FloodSources sources_;
  Neighbours neighbours_;
  const bool bound_;            // the nonce in each message is of its source
  const wire::Endpoint first_;  // of the frames, unless they are bound
  rte_mempool* pool_ = nullptr;
  std::array<rte_mbuf*, kMaxFlood> burst_{};
  unsigned at_ = 0;  // first one that has not left
  unsigned end_ = 0;
  FloodOutcome outcome_;
};

}  // namespace

Result<FloodOutcome> run_port_flood(Port& port, const Options& options, const std::atomic<bool>& stop) {
  PortFlood flood(port, options);
  if (auto prepared = flood.prepare_frames(); !prepared) return Error{prepared.error()};
  std::fprintf(stderr, "measuring\n");
  const bool there = flood.run(stop);
  std::fprintf(stderr, "measured\n");
  if (!there) return Error{"the other side went away"};
  return flood.finish();
}

}  // namespace turnpike::load
