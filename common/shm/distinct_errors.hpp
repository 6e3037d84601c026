// SPDX-License-Identifier: BSD-3-Clause
// Errors that a lcore meets, told without a log call: the same text again is a count and a time, not a new
// line.
//
//   E1  raise() stores count with release after the text       -> pairs with E2
//   E2  the reader loads count with acquire before the text
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/base/types.hpp"

namespace turnpike::shm {

struct alignas(kIsolation) ErrorRecord {
  std::atomic<std::uint64_t> count;     // writer: rw, control: ro; 0 means unused
  std::atomic<std::uint64_t> first_ns;  // CLOCK_MONOTONIC
  std::atomic<std::uint64_t> last_ns;
  std::array<char, 104> text;  // written once, before the first release of count; always ends in NUL
};
static_assert(sizeof(ErrorRecord) == 128);

inline constexpr std::size_t kErrorRecords = 32;
using ErrorRecords = std::array<ErrorRecord, kErrorRecords>;

// One per writer thread. Texts are literals: identity is the pointer.
class DistinctErrors {
public:
  DistinctErrors() = default;
  explicit DistinctErrors(ErrorRecords* records) noexcept : records_(records) {}

  void raise(const char* literal, std::uint64_t now_ns) noexcept {
    for (std::size_t i = 0; i < kErrorRecords; ++i) {
      ErrorRecord& record = (*records_)[i];
      if (texts_[i] == nullptr) {
        texts_[i] = literal;
        std::strncpy(record.text.data(), literal, record.text.size() - 1);
        record.text.back() = '\0';
        record.first_ns.store(now_ns, std::memory_order_relaxed);
      }
      if (texts_[i] != literal) continue;
      record.last_ns.store(now_ns, std::memory_order_relaxed);
      record.count.store(record.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);  // E1
      return;
    }
  }

private:
  ErrorRecords* records_ = nullptr;
  std::array<const char*, kErrorRecords> texts_{};
};

// Reader's side: the text, bounded even if the writer is hostile.
inline std::string error_text(const ErrorRecord& record) {
  return {record.text.data(), strnlen(record.text.data(), record.text.size())};
}

}  // namespace turnpike::shm
