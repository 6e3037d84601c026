// SPDX-License-Identifier: BSD-3-Clause
// The measurement over sockets: warm-up, the paced seconds, and the last arrivals.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "bench/load/live_line.hpp"
#include "bench/load/sockets/pacer.hpp"
#include "bench/load/sockets/receiver.hpp"
#include "bench/load/sockets/sender.hpp"

namespace turnpike::load {

// Counts at one moment.
struct Moment {
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  std::uint64_t errors = 0;
  std::uint64_t received = 0;
  std::uint64_t bytes = 0;  // of received payloads
  std::uint64_t reordered = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t foreign = 0;
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
  MediaRun(const Ends& ends, Receiver& receiver)
      : ends_(ends), receiver_(receiver), sender_(ends), line_(receiver.latencies()) {}

  Outcome run(const std::atomic<bool>& stop);

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

  Phase traffic(std::chrono::seconds length, const std::atomic<bool>& stop);
  bool receive_some(Clock::time_point now);
  Told now_told(Clock::time_point now) const;
  void tell_second(Clock::time_point start, Clock::time_point now);
  void drain();
  void receive_loop();
  Moment moment() const;
  bool threaded() const { return ends_.options.sockets.threads == 2; }

  const Ends& ends_;
  Receiver& receiver_;
  Sender sender_;
  LiveLine line_;
  Told told_;
  Clock::time_point next_sweep_;
  std::atomic<bool> over_{false};  // tells the receiving thread
};

// The calling thread runs on this CPU only, if one is given for its part: 0 sender, 1 receiver.
Status pin(const SocketOptions& options, std::size_t part);

}  // namespace turnpike::load
