// SPDX-License-Identifier: BSD-3-Clause
// Responses that receivers find among the media, on their way to the thread that asked.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "common/base/types.hpp"

namespace turnpike::load {

class Mailbox {
public:
  void put(std::uint32_t client, Bytes message) {
    const std::lock_guard lock(mutex_);
    letters_.emplace_back(client, std::vector<std::uint8_t>(message.begin(), message.end()));
    waiting_.store(true, std::memory_order_relaxed);
  }
  template <typename Take>
  void empty(const Take& take) {
    if (!waiting_.load(std::memory_order_relaxed)) return;  // often asked; the mutex orders the rest
    std::vector<Letter> letters;
    {
      const std::lock_guard lock(mutex_);
      letters.swap(letters_);
      waiting_.store(false, std::memory_order_relaxed);
    }
    for (const auto& [client, message] : letters) take(client, Bytes(message));
  }

private:
  using Letter = std::pair<std::uint32_t, std::vector<std::uint8_t>>;

  std::atomic<bool> waiting_{false};
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

}  // namespace turnpike::load
