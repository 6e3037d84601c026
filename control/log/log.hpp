// SPDX-License-Identifier: BSD-3-Clause
// Where log lines go and what they look like: standard error, a file, syslog; text or one JSON object a line.
// Standard output is for the ready line alone. Any thread may log; where the lines go is changed while only
// one runs.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "common/base/result.hpp"
#include "common/config/options.hpp"

namespace turnpike::control {

struct LogSettings {
  std::string file;  // empty: none
  bool standard_error = true;
  bool syslog = false;
  int syslog_facility = 0;
  bool json = false;
  spdlog::level::level_enum level = spdlog::level::info;

  static Result<LogSettings> read(const config::Options& options);
};

// From here on spdlog's default logger and log_event() go there. Fails when the file cannot be opened.
Status start_log(const LogSettings& settings);
// Opens the file anew, so that a renamed one is let go. On failure the old one stays.
void reopen_log();
// Whether lines below a warning wait for flush_log(): while somebody calls it before he sleeps. Not so at the
// start.
void collect_log(bool collect);
// What was logged reaches the file and standard error now.
void flush_log();
// Why the program ends. On standard error it is plain text, for who started the program, unless JSON goes
// there.
void log_failure(const std::string& text);

// Text of another process without control characters: it cannot forge log lines or colour terminals.
std::string printable(std::string text);

}  // namespace turnpike::control
