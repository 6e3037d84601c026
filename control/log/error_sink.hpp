// SPDX-License-Identifier: BSD-3-Clause
// Lines to standard error in as few writes as there are flushes: spdlog's own sink makes a system call of
// every line, a tenth of what a set-up costs.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace turnpike::control {

class ErrorSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  ~ErrorSink() override { write_out(); }

private:
  static constexpr std::size_t kMost = 64 << 10;  // then it is written in any case

  void sink_it_(const spdlog::details::log_msg& message) override {
    formatter_->format(message, waiting_);
    if (waiting_.size() >= kMost) write_out();
  }
  void flush_() override { write_out(); }

  // What nobody takes is lost: whoever closes the reading end does not want it.
  void write_out() {
    for (std::size_t at = 0; at < waiting_.size();) {
      const ssize_t written = write(STDERR_FILENO, waiting_.data() + at, waiting_.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;
      at += static_cast<std::size_t>(written);
    }
    waiting_.clear();
  }

  spdlog::memory_buf_t waiting_;
};

}  // namespace turnpike::control
