// SPDX-License-Identifier: BSD-3-Clause
// setns and back.
#include "bench/load/sockets/network_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace turnpike::load {

Status in_namespace(const std::string& name, const std::function<Status()>& work) {
  if (name.empty()) return work();
  const int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  Status done = Unit{};
  if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0) {
    done = Error{"network namespace " + name + ": " + std::strerror(errno)};
  } else {
    done = work();
    if (setns(home, CLONE_NEWNET) != 0) done = Error{std::string("back from it: ") + std::strerror(errno)};
  }
  if (home >= 0) close(home);
  if (there >= 0) close(there);
  return done;
}

}  // namespace turnpike::load
