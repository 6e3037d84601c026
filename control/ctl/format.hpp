// SPDX-License-Identifier: BSD-3-Clause
// Answers of turnpike-control as text for people. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace turnpike::ctl {

using Json = nlohmann::ordered_json;

// Columns as wide as their widest cell; numbers (right = true) to the right. Ends in a newline.
class Table {
public:
  struct Column {
    std::string title;
    bool right = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A number or a string for a terminal: names are whatever clients and operators wrote.
std::string printable_text(const Json& value);

// "1d 2h", "3h 4m", "5m 6s", "7s".
std::string format_duration(std::int64_t seconds);

// These throw nlohmann's exception when the answer is not what the verb gives.
std::string format_status(const Json& answer);
std::string format_sessions(const Json& answer);
std::string format_reload(const Json& answer);
// Of drain and undrain.
std::string format_drain(const Json& answer);
std::string format_drops(const Json& answer, bool all);
std::string format_io(const Json& answer, bool all);
// What happened between two answers.
std::string format_perf(const Json& before, const Json& after);

}  // namespace turnpike::ctl
