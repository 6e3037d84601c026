// SPDX-License-Identifier: BSD-3-Clause
// One dataplane for each instance: a lock that the kernel takes back however the process ends.
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
  explicit InstanceLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace turnpike::dataplane
