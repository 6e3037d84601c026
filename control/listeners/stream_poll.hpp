// SPDX-License-Identifier: BSD-3-Clause
// Waits for all connections at once.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>

namespace turnpike::control {

// An epoll set of its own, level-triggered, behind one descriptor that the event loop waits for: what is
// ready comes in batches, and a connection that goes on waiting for the same thing costs no call. (Asio's
// async_wait on each connection would be an allocation and an epoll_ctl for every message.)
class StreamPoll {
public:
  // `events` as epoll_wait gives them.
  using Ready = std::function<void(int fd, std::uint32_t events)>;

  StreamPoll(boost::asio::io_context& io, Ready ready);

  // False: the kernel has no memory for it. Closing a descriptor takes it out.
  bool add(int fd, std::uint32_t events);
  void change(int fd, std::uint32_t events);

private:
  void wait();
  void take();

  boost::asio::posix::stream_descriptor epoll_;
  Ready ready_;
};

}  // namespace turnpike::control
