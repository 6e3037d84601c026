// SPDX-License-Identifier: BSD-3-Clause
// flock on a file that holds our PID.
#include "dataplane/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace turnpike::dataplane {
namespace {

std::string lock_path(const std::string& directory) { return directory + "/dataplane.lock"; }

std::string holder(int fd) {
  std::array<char, 16> pid{};
  const ssize_t size = pread(fd, pid.data(), pid.size() - 1, 0);
  return size > 0 ? " (PID " + std::string(pid.data(), strcspn(pid.data(), "\n")) + ")" : "";
}

// The file may have been removed by its last holder between our open() and our lock.
bool is_still(int fd, const std::string& path) {
  struct stat ours {};
  struct stat there {};
  return fstat(fd, &ours) == 0 && stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& directory, const std::string& instance) {
  const std::string path = lock_path(directory);
  while (true) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return Error{"runtime-dir: cannot open " + path + ": " + std::strerror(errno)};
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const Error error{"a turnpike-dataplane of instance " + instance + " is already running" + holder(fd) +
                        "; stop it or choose another --instance"};
      close(fd);
      return error;
    }
    if (!is_still(fd, path)) {
      close(fd);
      continue;
    }
    InstanceLock lock(fd, directory);
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      return Error{"runtime-dir: cannot write " + path + ": " + std::strerror(errno)};
    }
    return lock;
  }
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), directory_(std::move(other.directory_)) {}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(directory_, other.directory_);
  return *this;
}

InstanceLock::~InstanceLock() {
  if (fd_ < 0) return;
  ::unlink(lock_path(directory_).c_str());
  rmdir(directory_.c_str());  // fails while control is there
  close(fd_);
}

}  // namespace turnpike::dataplane
