// SPDX-License-Identifier: BSD-3-Clause
// One dataplane for each instance: a lock that the kernel takes back however the process ends. A clean end
// takes the file away too, and the directory when nothing else is in it.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace turnpike::dataplane {

class InstanceLock {
public:
  // The error names the process that holds it.
  static Result<InstanceLock> take(const std::string& directory, const std::string& instance);

  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;
  ~InstanceLock();

private:
  InstanceLock(int fd, std::string directory) : fd_(fd), directory_(std::move(directory)) {}

  int fd_;
  std::string directory_;
};

}  // namespace turnpike::dataplane
