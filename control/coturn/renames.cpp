// SPDX-License-Identifier: BSD-3-Clause
// One row a name.
#include "control/coturn/renames.hpp"

#include <algorithm>
#include <string_view>

#include "common/config/option_table.hpp"

namespace turnpike::control {
namespace {

using Lines = std::vector<ConfLine>;

ConfLine setting(std::string_view key, std::string value) {
  return {std::string(key), std::move(value), true, std::string()};
}

Lines as(std::string_view key, const ConfLine& line) {
  ConfLine renamed = line;
  renamed.key = key;
  return {renamed};
}

// coturn's 0 is a single thread, and any number goes.
Lines workers(const ConfLine& line) {
  const config::Option& option = config::kOptionTable[config::OptionName("workers").index];
  const bool number = !line.value.empty() && line.value.find_first_not_of("0123456789") == std::string::npos;
  if (!number || line.value.size() > 9) return as("workers", line);
  const std::int64_t threads = std::stoll(line.value);
  return {setting("workers", std::to_string(std::clamp(threads, option.minimum, option.maximum)))};
}

Lines software_attribute(const ConfLine& line) {
  return line.is_on() ? Lines{setting("software-attribute", "false")} : Lines{};
}

Lines loopback_peers(const ConfLine& line) {
  if (!line.is_on()) return {};
  return {setting("allowed-peer-ip", "127.0.0.0/8"), setting("allowed-peer-ip", "::1")};
}

Lines level(const ConfLine& line) {
  return {setting("log-level", line.value == "warn" ? "warning" : line.value)};
}

struct Rename {
  std::string_view name;
  Lines (*lines)(const ConfLine&);
};
constexpr Rename kRenames[] = {
    {"relay-threads", workers},
    {"no-software-attribute", software_attribute},
    {"prod", software_attribute},
    {"Verbose", [](const ConfLine& line) { return as("verbose", line); }},
    {"log-min-level", level},
    {"allow-loopback-peers", loopback_peers},
    {"proc-user", [](const ConfLine& line) { return as("run-as", line); }},
    {"sql-userdb", [](const ConfLine& line) { return as("psql-userdb", line); }},
};

}  // namespace

std::optional<Lines> rename(const ConfLine& line) {
  for (const Rename& each : kRenames) {
    if (each.name == line.key) return each.lines(line);
  }
  return std::nullopt;
}

}  // namespace turnpike::control
