// SPDX-License-Identifier: BSD-3-Clause
// From readable sockets to frames: batches by recvmmsg, coalesced datagrams cut into packets again.
#pragma once

#include <rte_mbuf.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <span>

#include "common/wire/socket_address.hpp"
#include "dataplane/port/io_counters.hpp"
#include "dataplane/port/socket_endpoint.hpp"
#include "dataplane/port/socket_frames.hpp"
#include "dataplane/port/socket_options.hpp"

namespace turnpike::dataplane {

class SocketReceiver {
public:
  SocketReceiver(SocketTable& table, rte_mempool* mbufs, const SocketOptions& options, IoCounters counters);

  // What epoll reported; data.u32 is a socket's index. Only after the last ones are used up.
  std::span<epoll_event> events() noexcept { return events_; }
  void take_events(int count) noexcept;
  // Nothing is left of the last events and messages.
  bool empty() const noexcept { return event_at_ == event_count_ && message_at_ == message_count_; }

  // The socket is about to be closed: what it delivered and nobody took goes with it.
  void forget(std::uint32_t socket) noexcept {
    if (socket == socket_) message_at_ = message_count_ = 0;
  }
  // Frames, up to burst.size().
  std::uint16_t receive(std::span<rte_mbuf*> burst) noexcept;

private:
  static constexpr unsigned kMessages = 64;
  static constexpr unsigned kRelayMessages = 16;  // a relay socket has few senders: its queue is short
  static constexpr std::size_t kBytes = 65536;  // of one message: the largest datagram, or a coalesced train
  // Apart by more than the power of two, else all first lines compete for one set of the cache.
  static constexpr std::size_t kStride = kBytes + 320;

  struct Slot {
    iovec vector;
    wire::SocketAddress from;
    alignas(cmsghdr) std::array<char, 128> control;
  };
  struct Message {
    wire::Endpoint from;
    SocketIpFields fields;
    const std::uint8_t* data = nullptr;
    std::uint32_t size = 0;
    std::uint32_t segment = 0;  // bytes of each datagram in it
    std::uint32_t at = 0;       // next one
  };

  void read(std::uint32_t socket) noexcept;
  int call(int fd, unsigned limit) noexcept;
  void open_message(unsigned index) noexcept;
  rte_mbuf* next_frame() noexcept;
  std::uint16_t read_errors(std::uint32_t socket, std::span<rte_mbuf*> burst) noexcept;

  SocketTable& table_;
  rte_mempool* mbufs_;
  SocketOptions options_;
  IoCounters counters_;

  std::array<epoll_event, 64> events_;
  unsigned event_count_ = 0;
  unsigned event_at_ = 0;
  std::uint32_t socket_ = kNoSocket;  // whose messages these are
  unsigned message_count_ = 0;
  unsigned message_at_ = 0;
  Message message_;  // messages_[message_at_], opened
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::array<Slot, kMessages> slots_;
  std::array<mmsghdr, kMessages> messages_;
};

}  // namespace turnpike::dataplane
