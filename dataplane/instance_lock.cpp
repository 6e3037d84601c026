// SPDX-License-Identifier: BSD-3-Clause
// flock on a file that holds our PID.
#include "dataplane/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace turnpike::dataplane {

Result<InstanceLock> InstanceLock::take(const std::string& directory, const std::string& instance) {
  const std::string path = directory + "/dataplane.lock";
  InstanceLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (lock.fd_ < 0) return Error{"runtime-dir: cannot open " + path + ": " + std::strerror(errno)};
  if (flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 16> pid{};
    const ssize_t size = pread(lock.fd_, pid.data(), pid.size() - 1, 0);
    return Error{"a turnpike-dataplane of instance " + instance + " is already running" +
                 (size > 0 ? " (PID " + std::string(pid.data(), strcspn(pid.data(), "\n")) + ")" : "") +
                 "; stop it or choose another --instance"};
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(lock.fd_, 0) != 0 ||
      pwrite(lock.fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return Error{"runtime-dir: cannot write " + path + ": " + std::strerror(errno)};
  }
  return lock;
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace turnpike::dataplane
