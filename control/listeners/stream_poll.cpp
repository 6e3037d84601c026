// SPDX-License-Identifier: BSD-3-Clause
// The set and its batches.
#include "control/listeners/stream_poll.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace turnpike::control {
namespace {

constexpr std::size_t kBatch = 64;

int make_epoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

}  // namespace

StreamPoll::StreamPoll(boost::asio::io_context& io, Ready ready)
    : epoll_(io, make_epoll()), ready_(std::move(ready)) {
  wait();
}

bool StreamPoll::add(int fd, std::uint32_t events) {
  epoll_event event{events, {.fd = fd}};
  return epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void StreamPoll::change(int fd, std::uint32_t events) {
  epoll_event event{events, {.fd = fd}};
  epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void StreamPoll::wait() {
  epoll_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    take();
    wait();
  });
}

// One batch: what is left keeps the descriptor ready, after others had their turn.
void StreamPoll::take() {
  std::array<epoll_event, kBatch> events;
  const int count = epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    ready_(event.data.fd, event.events);
  }
}

}  // namespace turnpike::control
