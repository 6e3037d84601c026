// SPDX-License-Identifier: BSD-3-Clause
// The measurement over sockets: warm-up, the paced seconds, and the last arrivals.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "bench/load/live_line.hpp"
#include "bench/load/sockets/pacer.hpp"
#include "bench/load/sockets/receiver.hpp"
#include "bench/load/sockets/sender.hpp"

namespace turnpike::load {

// Counts at one moment, of all threads.
struct Moment {
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  std::uint64_t errors = 0;
  std::uint64_t received = 0;
  std::uint64_t bytes = 0;    // of received payloads
  std::uint64_t missing = 0;  // as far as newer arrivals tell
  std::uint64_t reordered = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t foreign = 0;
  std::uint64_t returned = 0;
  std::uint64_t not_returned = 0;
  std::uint64_t drops = 0;  // in receive buffers of this program
};

struct Outcome {
  double seconds = 0;
  double idle = 0;             // share of the time in which there was nothing to do (one thread only)
  std::uint64_t missed = 0;    // packets given up because the generator was late
  int refusal = 0;             // errno of the last packet that a socket had no room for
  Moment begin, end, settled;  // around the seconds, and when the last packets were in
  LatencySnapshots latencies;  // from begin to settled
};

class MediaRun {
public:
  // Often called by the thread that run() is called on.
  using Upkeep = std::function<void()>;

  static Result<std::unique_ptr<MediaRun>> make(const Ends& ends, Upkeep upkeep);

  // A warm-up of so long, and the measurement.
  Outcome run(std::chrono::seconds warmup, std::chrono::seconds length, const std::atomic<bool>& stop);
  Sender& sender() { return *senders_.front(); }
  Receiver& receiver() { return *receivers_.front(); }

private:
  using Clock = Pacer::Clock;
  struct Phase {
    std::chrono::nanoseconds took{0};
    std::chrono::nanoseconds idle{0};
    std::uint64_t missed = 0;
  };
  // What the last line was about.
  struct Told {
    Clock::time_point at;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
  };

  MediaRun(const Ends& ends, Upkeep upkeep) : ends_(ends), upkeep_(std::move(upkeep)) {}
  Phase traffic(std::chrono::seconds length, const std::atomic<bool>& stop);
  Phase main_loop(std::chrono::seconds length, const std::atomic<bool>& stop);
  Pacer make_pacer(std::size_t sender, Clock::time_point start) const;
  std::uint64_t help(std::size_t sender, Clock::time_point start, const std::atomic<bool>& over);
  bool receive_some(Clock::time_point now);
  void each_second(Clock::time_point start, Clock::time_point now);
  void drain();
  void receive_loop(std::size_t receiver);
  Moment counts() const;  // without drops, which are asked of every socket
  Moment moment() const;
  LatencySnapshots latencies() const;
  std::uint32_t burst() const;
  bool threaded() const { return ends_.options.sockets.receiver_threads != 0; }

  const Ends& ends_;
  Upkeep upkeep_;
  std::vector<std::unique_ptr<Sender>> senders_;  // the first one's thread is the caller's
  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::optional<LiveLine> line_;
  Told told_;
  Clock::time_point next_sweep_;
  std::atomic<bool> over_{false};  // tells the receiving threads
};

// The calling thread runs on this CPU only, if any are given: they are the senders', then the receivers'.
Status pin(const SocketOptions& options, std::size_t part);

}  // namespace turnpike::load
