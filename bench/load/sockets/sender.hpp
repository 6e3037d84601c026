// SPDX-License-Identifier: BSD-3-Clause
// Trains of packets, session after session.
#pragma once

#include <array>
#include <vector>

#include "bench/load/count.hpp"
#include "bench/load/sockets/ends.hpp"

namespace turnpike::load {

struct Departures {
  Count sent;
  Count refused;    // the socket had no room
  Count errors;     // ICMP errors that were told to a sender
  int refusal = 0;  // errno of the last refused one; read when the sender rests
};

class Sender {
public:
  explicit Sender(const Ends& ends);

  // As many packets, in whole trains.
  void send(std::uint32_t packets);
  // What connections had no room for when it was sent, as far as they have some now.
  void flush();
  const Departures& departures() const { return departures_; }

private:
  static constexpr std::size_t kMaxTrain = 64;

  void send_train(Direction direction, std::uint32_t session);
  int transmit_stream(StreamConnection& stream, std::size_t size);
  int transmit(int fd, bool all_alike);
  int transmit_segmented(int fd);
  int transmit_batch(int fd);

  const Ends& ends_;
  const SocketOptions& options_;
  std::uint64_t trains_ = 0;
  std::vector<std::uint8_t> buffer_;                               // one train
  std::array<std::size_t, kMaxTrain> sizes_{};                     // of its packets
  std::array<std::vector<std::uint32_t>, kDirections> sequences_;  // next ones, by session
  Departures departures_;
};

}  // namespace turnpike::load
