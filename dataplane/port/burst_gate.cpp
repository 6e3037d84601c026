// SPDX-License-Identifier: BSD-3-Clause
// The main lcore's half of the gate.
#include "dataplane/port/burst_gate.hpp"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace turnpike::dataplane {
namespace {

long membarrier(int command) { return syscall(__NR_membarrier, command, 0, 0); }

}  // namespace

Status BurstGate::prepare() {
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0) {
    return Error{std::string("memif ports need membarrier(2): ") + std::strerror(errno) +
                 "; allow it in the seccomp profile (Linux 4.14 and later have it)"};
  }
  return Unit{};
}

void BurstGate::close() noexcept {
  closed_.store(true, std::memory_order_release);
  membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);  // G2; cannot fail once registered
  for (const Passage& passage : passages_) {
    // A burst is microseconds; a worker that shares our CPU needs it back to finish.
    while (passage.inside.load(std::memory_order_acquire) != 0) sched_yield();  // L2
  }
}

}  // namespace turnpike::dataplane
