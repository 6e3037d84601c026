// SPDX-License-Identifier: BSD-3-Clause
// A burst of finished frames to sockets: one GSO message for each run of one destination and size, one
// sendmmsg for each socket.
#pragma once

#include <rte_mbuf.h>
#include <sys/socket.h>

#include <array>
#include <span>
#include <utility>

#include "common/wire/socket_address.hpp"
#include "dataplane/port/io_counters.hpp"
#include "dataplane/port/socket_endpoint.hpp"
#include "dataplane/port/socket_frames.hpp"
#include "dataplane/port/socket_options.hpp"

namespace turnpike::dataplane {

class SocketSender {
public:
  static constexpr unsigned kFrames = 64;  // at most in one call; also the kernel's limit of segments

  SocketSender(SocketTable& table, const SocketOptions& options, IoCounters counters)
      : table_(table), options_(options), counters_(counters) {}

  // Sends or drops (and counts) every frame; frees all. A full send buffer never blocks.
  void send(std::span<rte_mbuf*> frames) noexcept;
  // Sockets that lost GSO since the last question.
  bool take_gso_refused() noexcept { return std::exchange(gso_refused_, false); }

private:
  // Datagrams of one socket to one destination with equal IP fields, in order: all as long as the first, the
  // last one possibly shorter (which ends the run).
  struct Run {
    std::uint32_t socket = kNoSocket;
    wire::Endpoint to;
    SocketIpFields fields;
    std::uint16_t segment = 0;
    std::uint16_t count = 0;
    std::uint32_t bytes = 0;
    bool closed = false;
    bool sent = false;
    std::uint8_t first = 0;  // index of its first datagram; they are chained by next_
    std::uint8_t last = 0;
  };
  struct Headers {
    wire::SocketAddress to;
    alignas(cmsghdr) std::array<char, 96> control;
  };

  void sort(std::span<rte_mbuf*> frames) noexcept;
  Run& run_for(const SocketDatagram& datagram, std::uint32_t socket) noexcept;
  bool extends(const Run& run, const SocketDatagram& datagram, std::uint32_t socket) const noexcept;
  void send_socket(std::uint32_t socket, unsigned first_run) noexcept;
  void fill_message(unsigned message, const Run& run) noexcept;
  void flush(std::uint32_t socket, unsigned count) noexcept;
  int call(int fd, unsigned first, unsigned count) noexcept;
  // What to do about the message that the kernel refused: true when it was dealt with and the rest may go on.
  bool refused(std::uint32_t socket, unsigned message, int error) noexcept;
  void send_one_by_one(std::uint32_t socket, const Run& run) noexcept;
  void drop(std::uint32_t datagrams, shm::DropReason reason) noexcept;
  bool count_full(int error) const noexcept;
  void set_dont_fragment(SocketEndpoint& endpoint, bool wanted) noexcept;

  SocketTable& table_;
  SocketOptions options_;
  IoCounters counters_;
  bool gso_refused_ = false;

  std::array<SocketDatagram, kFrames> datagrams_;
  std::array<std::uint8_t, kFrames> next_;
  unsigned datagram_count_ = 0;
  std::array<Run, kFrames> runs_;
  unsigned run_count_ = 0;
  std::array<mmsghdr, kFrames> messages_;
  std::array<const Run*, kFrames> message_runs_;
  std::array<Headers, kFrames> headers_;
  std::array<iovec, kFrames> vectors_;
  unsigned vector_count_ = 0;
};

}  // namespace turnpike::dataplane
