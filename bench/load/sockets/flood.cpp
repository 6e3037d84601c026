// SPDX-License-Identifier: BSD-3-Clause
// The loop: a batch out of one socket, and what has come in for it.
#include "bench/load/sockets/flood.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/load/flood_messages.hpp"
#include "bench/load/session.hpp"
#include "bench/load/sockets/pacer.hpp"
#include "bench/load/sockets/udp_socket.hpp"

namespace turnpike::load {
namespace {

constexpr std::size_t kFloodBatch = 32;
constexpr std::size_t kMaxAnswer = 2048;
constexpr int kAnswerMs = 500;
constexpr int kAsks = 6;
constexpr std::chrono::milliseconds kLastAnswers{300};
constexpr std::chrono::microseconds kShortNap{50};

class Flood {
public:
  explicit Flood(const Options& options) : options_(options), messages_(options) {}

  Status open() {
    for (const Session& session : make_sessions(options_)) {
      auto socket = UdpSocket::open(session.client);
      if (!socket) return Error{socket.error()};
      if (auto connected = socket->connect(options_.server); !connected) return connected;
      if (auto sized = socket->set_buffers(options_.sockets.receive_buffer); !sized) return sized;
      sockets_.push_back(std::move(*socket));
    }
    return Unit{};
  }

  // Nonces are bound to addresses: one for the last socket, which is the only one that floods with it.
  Status prepare() {
    if (options_.sockets.flood != "wrong-password") return Unit{};
    sockets_.erase(sockets_.begin(), sockets_.end() - 1);
    const auto answer = ask(messages_.allocate());
    const auto view = answer ? stun::MessageView::parse(*answer) : std::nullopt;
    if (view && messages_.take_challenge(*view)) return Unit{};
    return Error{"the server asks nobody for a password"};
  }

  void run(const std::atomic<bool>& stop) {
    using Clock = Pacer::Clock;
    const auto start = Clock::now();
    const auto length = std::chrono::seconds(options_.seconds);
    Pacer pacer(std::max<std::uint64_t>(options_.rate, 1), kFloodBatch, start);
    auto now = start;
    for (std::size_t at = 0; now - start < length && !stop.load(std::memory_order_relaxed);
         now = Clock::now()) {
      if (options_.rate != 0 && !pacer.due(now)) {
        for (const UdpSocket& socket : sockets_) take_answers(socket);
        std::this_thread::sleep_for(kShortNap);
        continue;
      }
      const UdpSocket& socket = sockets_[at++ % sockets_.size()];
      send_batch(socket);
      take_answers(socket);
    }
    outcome_.seconds = std::chrono::duration<double>(now - start).count();
    outcome_.missed = pacer.missed();
    std::this_thread::sleep_for(kLastAnswers);
    for (const UdpSocket& socket : sockets_) {
      take_answers(socket);
      outcome_.dropped += socket.drops();
    }
  }

  FloodOutcome finish() {
    outcome_.answers_binding = ask(messages_.binding()).has_value();
    return std::move(outcome_);
  }

private:
  void send_batch(const UdpSocket& socket) {
    std::array<iovec, kFloodBatch> parts;
    std::array<mmsghdr, kFloodBatch> batch{};
    for (std::size_t i = 0; i < kFloodBatch; ++i) {
      const Bytes message = messages_.next();
      std::copy(message.begin(), message.end(), buffers_[i].begin());
      parts[i] = {buffers_[i].data(), message.size()};
      batch[i].msg_hdr.msg_iov = &parts[i];
      batch[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = sendmmsg(socket.fd(), batch.data(), kFloodBatch, 0);
    const auto left = static_cast<std::size_t>(std::max(sent, 0));
    outcome_.sent += left;
    outcome_.refused += kFloodBatch - left;
    for (std::size_t i = 0; i < left; ++i) outcome_.sent_bytes += parts[i].iov_len;
  }

  void take_answers(const UdpSocket& socket) {
    std::array<iovec, kFloodBatch> parts;
    std::array<mmsghdr, kFloodBatch> batch{};
    int count = static_cast<int>(kFloodBatch);
    while (count == static_cast<int>(kFloodBatch)) {
      for (std::size_t i = 0; i < kFloodBatch; ++i) {
        parts[i] = {answers_[i].data(), answers_[i].size()};
        batch[i].msg_hdr.msg_iov = &parts[i];
        batch[i].msg_hdr.msg_iovlen = 1;
      }
      count = recvmmsg(socket.fd(), batch.data(), kFloodBatch, 0, nullptr);
      for (std::size_t i = 0; static_cast<int>(i) < count; ++i) {
        outcome_.take(Bytes(answers_[i]).first(batch[i].msg_len));
      }
    }
  }

  // What is answered to a request, asked again when nothing is.
  std::optional<Bytes> ask(Bytes request) {
    const UdpSocket& socket = sockets_.back();
    const std::vector<std::uint8_t> message(request.begin(), request.end());
    const auto asked = stun::MessageView::parse(message);
    for (int tries = 0; tries < kAsks && asked; ++tries) {
      static_cast<void>(::send(socket.fd(), message.data(), message.size(), 0));
      pollfd readable{socket.fd(), POLLIN, 0};
      while (poll(&readable, 1, kAnswerMs) == 1) {
        const ssize_t size = recv(socket.fd(), answers_[0].data(), answers_[0].size(), 0);
        if (size < 0) break;
        const Bytes answer = Bytes(answers_[0]).first(static_cast<std::size_t>(size));
        const auto view = stun::MessageView::parse(answer);
        if (view && std::ranges::equal(view->transaction_id(), asked->transaction_id())) return answer;
      }
    }
    return std::nullopt;
  }

  const Options& options_;
  FloodMessages messages_;
  std::vector<UdpSocket> sockets_;
  std::array<std::array<std::uint8_t, FloodMessages::kMaxSize>, kFloodBatch> buffers_;
  std::array<std::array<std::uint8_t, kMaxAnswer>, kFloodBatch> answers_;
  FloodOutcome outcome_;
};

}  // namespace

Result<FloodOutcome> run_flood(const Options& options, const std::atomic<bool>& stop) {
  Flood flood(options);
  if (auto opened = flood.open(); !opened) return Error{opened.error()};
  if (auto prepared = flood.prepare(); !prepared) return Error{prepared.error()};
  std::fprintf(stderr, "measuring\n");
  flood.run(stop);
  std::fprintf(stderr, "measured\n");
  return flood.finish();
}

}  // namespace turnpike::load
