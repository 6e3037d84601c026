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
  // Of these sessions, in the directions that this process sends in.
  Sender(const Ends& ends, std::vector<std::uint32_t> sessions);

  bool sends() const { return !directions_.empty(); }
  void set_sessions(std::vector<std::uint32_t> sessions) { sessions_ = std::move(sessions); }
  // As many packets, in whole trains.
  void send(std::uint32_t packets);
  // A packet of every client to each of its peers, who learn from it where their packets have to go.
  void greet();
  // What connections had no room for when it was sent, as far as they have some now.
  void flush();
  const Departures& departures() const { return departures_; }
  // The number that the session's next packet will have.
  std::uint32_t next(Direction direction, std::uint32_t session) const {
    return sequences_[direction][session];
  }
  const std::vector<Direction>& directions() const { return directions_; }

private:
  static constexpr std::size_t kMaxTrain = 64;

  void send_train(Direction direction, std::uint32_t session, std::uint32_t train);
  int transmit(int fd, std::uint32_t train, bool all_alike, Remote* to);
  int transmit_segmented(int fd, std::uint32_t train, Remote* to);
  int transmit_batch(int fd, std::uint32_t train, Remote* to);

  const Ends& ends_;
  const SocketOptions& options_;
  std::vector<Direction> directions_;
  std::vector<std::uint32_t> sessions_;
  std::uint64_t trains_ = 0;
  std::vector<std::uint8_t> buffer_;                               // one train
  std::array<std::size_t, kMaxTrain> sizes_{};                     // of its packets
  std::array<std::vector<std::uint32_t>, kDirections> sequences_;  // next ones, by session
  Departures departures_;
};

}  // namespace turnpike::load
