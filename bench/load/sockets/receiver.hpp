// SPDX-License-Identifier: BSD-3-Clause
// Arrivals, taken in batches and judged one by one, or sent back.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "bench/load/count.hpp"
#include "bench/load/latency.hpp"
#include "bench/load/sockets/ends.hpp"

namespace turnpike::load {

struct ArrivalCounts {
  std::array<Count, kDirections> received;  // good ones
  Count bytes;                              // of their payloads
  Count skipped;                            // numbers passed over by a newer one; what is reordered comes yet
  Count reordered;                          // of the good ones, behind a newer one of their flow
  Count duplicate;                          // seen before, or too far behind the newest of their flow to tell
  Count corrupt;                            // payload or framing is not what was sent to this socket
  Count foreign;                            // not media at all
  Count returned;                           // sent back by peers that echo
  Count not_returned;                       // they had no room for it

  std::uint64_t good() const { return received[kToPeer] + received[kToClient]; }
  // As far as newer arrivals tell.
  std::uint64_t missing() const {
    const std::uint64_t found = reordered + corrupt;
    return skipped - std::min<std::uint64_t>(skipped, found);
  }
};

class Receiver {
public:
  // Part `part` of `parts`: every so manieth socket.
  static Result<std::unique_ptr<Receiver>> make(const Ends& ends, std::uint32_t part, std::uint32_t parts);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // From now on what this one receives is taken; a closed socket is forgotten by itself.
  Status watch(Direction direction, std::uint32_t receiver);
  // Whether sockets are known to have something.
  bool pending() const { return ready_at_ < ready_count_; }
  // Takes one batch from one socket. When none was pending, asks the kernel first, and waits so long.
  bool step(int wait_ms);
  const ArrivalCounts& arrivals() const { return arrivals_; }
  // One above the highest number that has arrived of the session's packets.
  std::uint32_t next(Direction direction, std::uint32_t session) const {
    return windows_[direction][session].top();
  }
  // Of the good ones.
  const LatencyHistograms& latencies() const { return latencies_; }

private:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kControl = 64;
  struct Media {
    std::uint32_t session;
    Bytes payload;
  };

  explicit Receiver(const Ends& ends);
  unsigned take(std::uint64_t tag);
  unsigned take_connection(ClientConnection& connection, std::uint32_t client);
  void learn(std::uint32_t session, const msghdr& message);
  void send_back(int fd, std::size_t count);
  void inspect_datagram(Direction direction, std::uint32_t receiver, const mmsghdr& message);
  void inspect(Direction direction, std::uint32_t receiver, Bytes packet);
  std::optional<Media> take_off_framing(std::uint32_t client, Bytes packet);
  void count_good(Direction direction, std::uint32_t session, const Stamp& stamp, std::size_t size);

  const Ends& ends_;
  int epoll_;
  std::array<epoll_event, 64> ready_;
  std::size_t ready_at_ = 0;
  std::size_t ready_count_ = 0;
  std::vector<std::uint8_t> buffers_;
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
  std::array<std::array<char, kControl>, kBatch> controls_;
  std::array<wire::SocketAddress, kBatch> names_;
  std::array<std::vector<SequenceWindow>, kDirections> windows_;
  ArrivalCounts arrivals_;
  LatencyHistograms latencies_;
  std::uint64_t now_ns_ = 0;  // when the batch was taken
};

}  // namespace turnpike::load
