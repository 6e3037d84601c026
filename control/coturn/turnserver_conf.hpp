// SPDX-License-Identifier: BSD-3-Clause
// The lines of coturn's turnserver.conf, as leniently as coturn reads them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace turnpike::control {

struct ConfLine {
  std::string key;  // empty: a comment or a blank line
  std::string value;
  bool has_value = false;
  std::string text;  // the line as it stands, without its end

  bool is_setting() const { return !key.empty(); }
  // "0", "off", "no" and "false", or what begins like them, are off; no value is on.
  bool is_on() const;
  // "key" or "key=value".
  std::string spelled() const { return has_value ? key + "=" + value : key; }
};

// "key", "key=value" and "key value"; '"' around a value is taken off.
std::vector<ConfLine> parse_turnserver_conf(std::string_view text);

}  // namespace turnpike::control
