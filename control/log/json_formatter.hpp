// SPDX-License-Identifier: BSD-3-Clause
// Log lines as JSON objects: time, level, event, and what the event tells.
#pragma once

#include <spdlog/formatter.h>

#include <ctime>
#include <string>

namespace turnpike::control {

// Messages of the event logger are the members of an object already; others become {"event":"log"} with a
// message.
class JsonFormatter final : public spdlog::formatter {
public:
  explicit JsonFormatter(std::string end_of_line) : end_of_line_(std::move(end_of_line)) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>(end_of_line_);
  }

private:
  std::string end_of_line_;
  std::time_t second_ = -1;  // that second_text_ shows: lines come many a second
  std::string second_text_;
};

}  // namespace turnpike::control
