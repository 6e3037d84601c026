// SPDX-License-Identifier: BSD-3-Clause
// A line is to blame when the check says something else without it.
#include "control/coturn/acceptance.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "control/coturn/credential_options.hpp"
#include "control/coturn/turnserver_conf.hpp"

namespace turnpike::control {
namespace {

// Without a database fewer may allocate; without one of these others might.
bool is_operators_matter(std::string_view key) {
  return key == "no-auth" || key == "realm" || (is_credential_option(key) && !is_database_option(key));
}

std::string join(const std::vector<ConfLine>& lines) {
  std::string text;
  for (const ConfLine& line : lines) text += line.text + "\n";
  return text;
}

// Empty: nothing.
std::string complaint(const std::vector<ConfLine>& lines, const ConfigCheck& check) {
  const auto checked = check(join(lines));
  return checked ? std::string() : checked.error();
}

std::optional<std::size_t> culprit(const std::vector<ConfLine>& lines, const std::string& said,
                                   const ConfigCheck& check) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].is_setting() || is_operators_matter(lines[i].key)) continue;
    std::vector<ConfLine> without = lines;
    without[i] = ConfLine{};
    if (complaint(without, check) != said) return i;
  }
  return std::nullopt;
}

// Without what the comment shows anyway.
std::string reason(const ConfLine& line, const std::string& said) {
  for (const std::string& named : {line.spelled() + ": ", line.key + ": "}) {
    if (const std::size_t at = said.find(named); at != std::string::npos)
      return said.substr(at + named.size());
  }
  return said;
}

}  // namespace

std::size_t comment_refused(std::string& text, const ConfigCheck& check) {
  std::vector<ConfLine> lines = parse_turnserver_conf(text);  // our syntax is a part of coturn's
  std::size_t commented = 0;
  for (std::string said = complaint(lines, check); !said.empty(); said = complaint(lines, check)) {
    const auto position = culprit(lines, said, check);
    if (!position) break;
    ConfLine& line = lines[*position];
    line = {"", "", false, "# " + line.spelled() + ": " + reason(line, said)};
    ++commented;
  }
  if (commented != 0) text = join(lines);
  return commented;
}

}  // namespace turnpike::control
