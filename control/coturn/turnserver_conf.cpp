// SPDX-License-Identifier: BSD-3-Clause
// coturn's syntax: between key and value stand blanks and '=', in any number.
#include "control/coturn/turnserver_conf.hpp"

#include <cctype>

namespace turnpike::control {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view without_quotes(std::string_view value) {
  if (!value.starts_with('"')) return value;
  value.remove_prefix(1);
  if (value.ends_with('"')) value.remove_suffix(1);
  return value;
}

ConfLine parse_line(std::string_view text) {
  ConfLine line;
  line.text = text;
  const std::string_view content = trim(text);
  if (content.empty() || content.front() == '#') return line;
  if (content.front() == '=') {  // names nothing
    line.text = "# " + line.text;
    return line;
  }
  const std::size_t end = content.find_first_of(" \t=");
  line.key = content.substr(0, end);
  if (end == std::string_view::npos) return line;
  const std::size_t begin = content.find_first_not_of(" \t=", end);
  line.has_value = true;
  if (begin != std::string_view::npos) line.value = without_quotes(content.substr(begin));
  return line;
}

}  // namespace

bool ConfLine::is_on() const {
  if (value.empty()) return true;
  const auto lower = [this](std::size_t i) {
    return i < value.size() ? std::tolower(static_cast<unsigned char>(value[i])) : 0;
  };
  const int first = lower(0);
  return first != '0' && first != 'n' && first != 'f' && !(first == 'o' && lower(1) == 'f');
}

std::vector<ConfLine> parse_turnserver_conf(std::string_view text) {
  std::vector<ConfLine> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(parse_line(line));
  }
  return lines;
}

}  // namespace turnpike::control
