// SPDX-License-Identifier: BSD-3-Clause
// Keeps workers out of a device while the main lcore takes it apart.
//
// A worker pays two plain stores and a load per burst; the main lcore pays a membarrier(2), which runs a full
// fence on every CPU that executes one of our threads:
//   G1  enter() stores inside, then loads closed (program order only: the compiler may not swap them)
//   G2  close() stores closed, then membarrier, then loads every inside
// After the membarrier each worker has either published inside == 1, and close() waits for it, or will see
// closed.
//   L1  leave() stores inside == 0 with release   -> pairs with L2
//   L2  close() loads inside with acquire: the burst's last access is over
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/types.hpp"

namespace turnpike::dataplane {

class BurstGate {
public:
  // Once per process, before workers start.
  static Status prepare();

  // `passages`: receive and transmit queues that share the gate, each used by one worker. Starts closed.
  explicit BurstGate(std::size_t passages) : passages_(passages) {}

  // Worker: false when closed; on true leave() follows.
  bool enter(std::size_t passage) noexcept {
    std::atomic<std::uint32_t>& inside = passages_[passage].inside;
    inside.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // G1
    if (closed_.load(std::memory_order_acquire)) [[unlikely]] {
      inside.store(0, std::memory_order_release);
      return false;
    }
    return true;
  }
  void leave(std::size_t passage) noexcept {
    passages_[passage].inside.store(0, std::memory_order_release);  // L1
  }

  // Main lcore. close() returns when no worker is inside and none can come in.
  void close() noexcept;
  void open() noexcept { closed_.store(false, std::memory_order_release); }
  bool is_open() const noexcept { return !closed_.load(std::memory_order_relaxed); }

private:
  struct alignas(kIsolation) Passage {
    std::atomic<std::uint32_t> inside{0};  // its worker: rw, main: ro
  };
  std::atomic<bool> closed_{true};  // main: rw, workers: ro
  std::vector<Passage> passages_;
};

}  // namespace turnpike::dataplane
