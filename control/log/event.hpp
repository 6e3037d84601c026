// SPDX-License-Identifier: BSD-3-Clause
// A log line with fields: name=value in text, members of the object in JSON.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::control {

inline constexpr const char* kEventLogger = "event";

// Where events go and in which form; nothing is logged before.
void set_event_logger(spdlog::logger* logger, bool json);
bool event_wanted(spdlog::level::level_enum level);

// Values may come from anybody: they are escaped here.
class Event {
public:
  Event(spdlog::level::level_enum level, std::string_view name);

  Event& add(std::string_view name, std::string_view value);
  Event& add(std::string_view name, std::uint64_t value);
  Event& add(std::string_view name, const std::vector<std::string>& values);
  void write();

private:
  void begin_field(std::string_view name);

  spdlog::level::level_enum level_;
  bool json_;
  std::string line_;
};

// As JSON, in quotes, ASCII only; what is not UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);
// As it stands when it is plain; else in quotes, every other byte as \xNN, so that one line stays one line,
// one value one value, and nothing reaches a terminal.
std::string text_value(std::string_view text);

}  // namespace turnpike::control
