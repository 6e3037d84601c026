// SPDX-License-Identifier: BSD-3-Clause
// Opening, closing and waiting for one worker's sockets.
#include "dataplane/port/socket_queue.hpp"

#include <unistd.h>

#include <cerrno>

namespace turnpike::dataplane {

using shm::Counter;

Result<std::unique_ptr<SocketQueue>> SocketQueue::create(std::uint32_t capacity, rte_mempool* mbufs,
                                                         const SocketOptions& options,
                                                         shm::WorkerBlock& block, int wake) {
  std::unique_ptr<SocketQueue> queue(new SocketQueue(capacity, mbufs, options, IoCounters(block)));
  queue->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u32 = kNoSocket;
  if (queue->epoll_ < 0 || epoll_ctl(queue->epoll_, EPOLL_CTL_ADD, wake, &event) != 0) {
    return Error{std::string("epoll: ") + std::strerror(errno)};
  }
  return queue;
}

SocketQueue::~SocketQueue() {
  if (epoll_ >= 0) close(epoll_);
}

int SocketQueue::add(int fd, const wire::Endpoint& local, bool listener) noexcept {
  const std::uint32_t index = table_.add(fd, local, listener);
  if (index == kNoSocket) {
    close(fd);
    return ENFILE;
  }
  table_[index].users = 1;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = index;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    const int error = errno;
    table_.remove(index);
    return error;
  }
  counters_.set(Counter::k_io_sockets, ++open_);
  return 0;
}

Status SocketQueue::add_listener(int fd, const wire::Endpoint& local) {
  if (const int error = add(fd, local, true); error != 0) return Error{std::strerror(error)};
  return Unit{};
}

int SocketQueue::open_relay(const wire::Endpoint& local) noexcept {
  if (const std::uint32_t index = table_.find(local.address, local.port); index != kNoSocket) {
    ++table_[index].users;
    return 0;
  }
  const int fd = open_socket(local, false, false, options_.recvmmsg);
  const int error = fd < 0 ? -fd : add(fd, local, false);
  if (error != 0) counters_.add(Counter::k_io_sockets_refused);
  return error;
}

void SocketQueue::close_relay(const wire::Endpoint& local) noexcept {
  const std::uint32_t index = table_.find(local.address, local.port);
  if (index == kNoSocket || table_[index].listener || --table_[index].users != 0) return;
  receiver_.forget(index);
  table_.remove(index);
  counters_.set(Counter::k_io_sockets, --open_);
}

void SocketQueue::wait(int timeout_ms) noexcept {
  counters_.add(Counter::k_io_polls);
  const auto events = receiver_.events();
  receiver_.take_events(epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms));
}

}  // namespace turnpike::dataplane
