// SPDX-License-Identifier: BSD-3-Clause
// Fields to text or JSON.
#include "control/log/event.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace turnpike::control {
namespace {

struct Target {
  spdlog::logger* logger = nullptr;
  bool json = false;
};
Target& target() {
  static Target the_target;
  return the_target;
}

bool is_plain(char c) {
  constexpr std::string_view kMarks = ".:-_@/[]+";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

bool are_plain(std::string_view text) { return std::all_of(text.begin(), text.end(), is_plain); }

}  // namespace

void set_event_logger(spdlog::logger* logger, bool json) { target() = {logger, json}; }

bool event_wanted(spdlog::level::level_enum level) {
  return target().logger != nullptr && target().logger->should_log(level);
}

Event::Event(spdlog::level::level_enum level, std::string_view name) : level_(level), json_(target().json) {
  constexpr std::size_t kUsualLine = 512;
  line_.reserve(kUsualLine);
  if (json_) {
    line_ = "\"event\":\"" + std::string(name) + "\"";
  } else {
    line_ = name;
  }
}

void Event::begin_field(std::string_view name) {
  line_ += json_ ? ",\"" : " ";
  line_ += name;
  line_ += json_ ? "\":" : "=";
}

Event& Event::add(std::string_view name, std::string_view value) {
  begin_field(name);
  line_ += json_ ? json_string(value) : text_value(value);
  return *this;
}

Event& Event::add(std::string_view name, std::uint64_t value) {
  begin_field(name);
  line_ += std::to_string(value);
  return *this;
}

Event& Event::add(std::string_view name, const std::vector<std::string>& values) {
  begin_field(name);
  if (json_) line_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) line_ += ',';
    line_ += json_ ? json_string(values[i]) : text_value(values[i]);
  }
  if (json_) line_ += ']';
  return *this;
}

void Event::write() {
  if (event_wanted(level_)) target().logger->log(level_, spdlog::string_view_t(line_));
}

std::string json_string(std::string_view text) {
  // Nearly always so, and ten times as fast.
  if (are_plain(text)) return "\"" + std::string(text) + "\"";
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string text_value(std::string_view text) {
  if (!text.empty() && are_plain(text)) return std::string(text);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
      quoted += c;
    } else {
      quoted += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 0xF]};
    }
  }
  return quoted + "\"";
}

}  // namespace turnpike::control
