// SPDX-License-Identifier: BSD-3-Clause
// File descriptors and what to do when one is readable: the main lcore's epoll.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

namespace turnpike::dataplane {

class Reactor {
public:
  using Handler = std::function<void()>;

  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Level-triggered; the descriptor stays the caller's, who removes it before closing it.
  void add(int fd, Handler handler);
  void remove(int fd);
  // Sleeps up to `timeout_ms` and runs the handlers of what became readable. Handlers may add and remove.
  void wait(int timeout_ms);

private:
  int epoll_;
  std::unordered_map<int, std::shared_ptr<Handler>> handlers_;  // shared: a handler may remove itself
};

}  // namespace turnpike::dataplane
