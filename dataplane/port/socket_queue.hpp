// SPDX-License-Identifier: BSD-3-Clause
// One worker's share of the kernel sockets: its table, its epoll set, its way in and out.
#pragma once

#include <memory>

#include "dataplane/port/socket_receiver.hpp"
#include "dataplane/port/socket_sender.hpp"

namespace turnpike::dataplane {

class SocketQueue {
public:
  // `capacity`: sockets at most. `wake`: an eventfd whose writing ends a wait; edge-triggered, so nobody
  // reads it.
  static Result<std::unique_ptr<SocketQueue>> create(std::uint32_t capacity, rte_mempool* mbufs,
                                                     const SocketOptions& options, shm::WorkerBlock& block,
                                                     int wake);
  ~SocketQueue();
  SocketQueue(const SocketQueue&) = delete;
  SocketQueue& operator=(const SocketQueue&) = delete;

  // Before the worker runs. Takes `fd` in every case.
  Status add_listener(int fd, const wire::Endpoint& local);
  // Opens the relayed address, or counts one more allocation on it. 0, or an errno.
  int open_relay(const wire::Endpoint& local) noexcept;
  void close_relay(const wire::Endpoint& local) noexcept;

  std::uint16_t receive(std::span<rte_mbuf*> burst) noexcept { return receiver_.receive(burst); }
  void send(std::span<rte_mbuf*> frames) noexcept { sender_.send(frames); }
  bool take_gso_refused() noexcept { return sender_.take_gso_refused(); }
  // Until a socket has something, the eventfd was written or the time is over. Only when empty().
  void wait(int timeout_ms) noexcept;
  bool empty() const noexcept { return receiver_.empty(); }

private:
  SocketQueue(std::uint32_t capacity, rte_mempool* mbufs, const SocketOptions& options, IoCounters counters)
      : table_(capacity),
        receiver_(table_, mbufs, options, counters),
        sender_(table_, options, counters),
        counters_(counters),
        options_(options) {}
  // 0, or an errno; closes the descriptor on an error.
  int add(int fd, const wire::Endpoint& local, bool listener) noexcept;

  SocketTable table_;
  SocketReceiver receiver_;
  SocketSender sender_;
  IoCounters counters_;
  SocketOptions options_;
  int epoll_ = -1;
  std::uint32_t open_ = 0;
};

}  // namespace turnpike::dataplane
