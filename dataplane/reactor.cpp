// SPDX-License-Identifier: BSD-3-Clause
// epoll.
#include "dataplane/reactor.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace turnpike::dataplane {

Reactor::Reactor() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Reactor::~Reactor() {
  if (epoll_ >= 0) close(epoll_);
}

void Reactor::add(int fd, Handler handler) {
  handlers_[fd] = std::make_shared<Handler>(std::move(handler));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void Reactor::remove(int fd) {
  if (handlers_.erase(fd) != 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void Reactor::wait(int timeout_ms) {
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(epoll_, events.data(), events.size(), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const auto found = handlers_.find(events[static_cast<std::size_t>(i)].data.fd);
    if (found == handlers_.end()) continue;  // removed by a handler of this round
    const std::shared_ptr<Handler> handler = found->second;
    (*handler)();
  }
}

}  // namespace turnpike::dataplane
