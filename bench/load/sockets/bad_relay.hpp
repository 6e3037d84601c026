// SPDX-License-Identifier: BSD-3-Clause
// A relay on loopback that does wrong on purpose and counts what it did: the judge of turnpike-load.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/payload.hpp"
#include "bench/load/sockets/udp_socket.hpp"
#include "common/base/types.hpp"

namespace turnpike::load::test {

// One packet of so many of a flow meets this; 0: none. No packet meets two.
struct Faults {
  std::uint32_t drop = 0;
  std::uint32_t repeat = 0;
  std::uint32_t swap = 0;              // with the flow's next whole one
  std::uint32_t corrupt = 0;           // one bit, all over the payload in turn
  std::chrono::milliseconds delay{0};  // of every packet
};

// What one direction met.
struct Deeds {
  std::uint64_t taken = 0;
  std::uint64_t dropped = 0;
  std::uint64_t repeated = 0;
  std::uint64_t swapped = 0;
  std::uint64_t corrupted = 0;
};

// Channels without signalling: clients and peers are told to it.
class BadRelay {
public:
  explicit BadRelay(const Faults& faults);
  ~BadRelay();
  BadRelay(const BadRelay&) = delete;
  BadRelay& operator=(const BadRelay&) = delete;

  wire::Endpoint server() const { return server_; }
  // The relayed address of a session; all are added before start().
  wire::Endpoint add(const wire::Endpoint& client, const wire::Endpoint& peer);
  void start();
  // Ends it; then the deeds may be read.
  void stop();
  const Deeds& deeds(Direction direction) const { return deeds_[direction]; }

private:
  using Clock = std::chrono::steady_clock;
  using Packet = std::vector<std::uint8_t>;
  struct Flow {
    std::uint64_t taken = 0;
    Packet held;  // waits for the next one
  };
  struct Session {
    wire::Endpoint client;
    wire::Endpoint peer;
    UdpSocket relay;
    std::array<Flow, kDirections> flows;
  };
  struct Delayed {
    Clock::time_point due;
    std::size_t session = 0;
    Direction direction = kToPeer;
    Packet payload;
  };

  void loop();
  void take_all();
  void take(std::size_t session, Direction direction, Packet payload);
  void release_held();
  void forward(std::size_t session, Direction direction, Packet payload);
  void send_due(Clock::time_point now);
  void send(const Delayed& packet);
  std::size_t session_of(const wire::Endpoint& client) const;

  Faults faults_;
  UdpSocket listener_;
  wire::Endpoint server_;
  std::vector<Session> sessions_;
  std::deque<Delayed> queue_;
  std::array<Deeds, kDirections> deeds_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// Where the kernel has bound a socket.
wire::Endpoint local_endpoint(int fd);

}  // namespace turnpike::load::test
