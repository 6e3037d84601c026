// SPDX-License-Identifier: BSD-3-Clause
// One object a line.
#include "control/log/json_formatter.hpp"

#include <fmt/chrono.h>
#include <spdlog/details/log_msg.h>

#include <utility>

#include "control/log/event.hpp"

namespace turnpike::control {
namespace {

std::string_view text_of(spdlog::string_view_t view) { return {view.data(), view.size()}; }

}  // namespace

void JsonFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  const auto since_epoch = message.time.time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch - whole);
  const auto second = static_cast<std::time_t>(whole.count());
  if (std::exchange(second_, second) != second) {
    second_text_ = fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(second));
  }
  const auto to = std::back_inserter(out);
  fmt::format_to(to, R"({{"time":"{}.{:03}Z","level":"{}",)", second_text_, part.count(),
                 text_of(spdlog::level::to_string_view(message.level)));
  const std::string_view payload = text_of(message.payload);
  if (text_of(message.logger_name) == kEventLogger) {
    fmt::format_to(to, "{}", payload);
  } else {
    fmt::format_to(to, R"("event":"log","message":{})", json_string(payload));
  }
  fmt::format_to(to, "}}{}", end_of_line_);
}

}  // namespace turnpike::control
