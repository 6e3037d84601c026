// SPDX-License-Identifier: BSD-3-Clause
// Sinks of the two loggers: the default one for sentences, another one for events.
#include "control/log/log.hpp"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/syslog_sink.h>
#include <syslog.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "control/log/error_sink.hpp"
#include "control/log/event.hpp"
#include "control/log/json_formatter.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {
namespace {

constexpr const char* kProgram = "turnpike-control";
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ turnpike-control %l: %v";

struct Facility {
  std::string_view name;
  int value;
};
constexpr Facility kFacilities[] = {
    {"LOG_DAEMON", LOG_DAEMON},     {"LOG_USER", LOG_USER},     {"LOG_AUTH", LOG_AUTH},
    {"LOG_AUTHPRIV", LOG_AUTHPRIV}, {"LOG_SYSLOG", LOG_SYSLOG}, {"LOG_CRON", LOG_CRON},
    {"LOG_MAIL", LOG_MAIL},         {"LOG_NEWS", LOG_NEWS},     {"LOG_UUCP", LOG_UUCP},
    {"LOG_LPR", LOG_LPR},           {"LOG_LOCAL0", LOG_LOCAL0}, {"LOG_LOCAL1", LOG_LOCAL1},
    {"LOG_LOCAL2", LOG_LOCAL2},     {"LOG_LOCAL3", LOG_LOCAL3}, {"LOG_LOCAL4", LOG_LOCAL4},
    {"LOG_LOCAL5", LOG_LOCAL5},     {"LOG_LOCAL6", LOG_LOCAL6}, {"LOG_LOCAL7", LOG_LOCAL7},
};

std::unique_ptr<spdlog::formatter> make_formatter(bool json, const char* pattern, const char* end_of_line) {
  if (json) return std::make_unique<JsonFormatter>(end_of_line);
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, end_of_line);
}

// The sinks are shared by both loggers. The file's is the first one, and is replaced when it is opened anew.
struct Log {
  LogSettings settings;
  std::shared_ptr<spdlog::logger> sentences;
  std::shared_ptr<spdlog::logger> events;
  spdlog::sink_ptr standard_error;
};
Log& the_log() {
  static Log log;
  return log;
}

// The file is made here: spdlog would make it readable for everybody, and names of users stand in it.
Result<spdlog::sink_ptr> open_file(const LogSettings& settings) {
  const UniqueFd made(open(settings.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (made.get() < 0) {
    return Error{"log-file=" + settings.file + ": cannot be opened: " + std::strerror(errno) +
                 "; make its directory, or let this user write there"};
  }
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file);
    sink->set_formatter(make_formatter(settings.json, kTextPattern, "\n"));
    return spdlog::sink_ptr(std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    return Error{"log-file=" + settings.file + ": " + error.what()};
  }
}

}  // namespace

Result<LogSettings> LogSettings::read(const config::Options& options) {
  LogSettings settings;
  settings.file = options.text("log-file");
  settings.standard_error = !options.flag("no-stdout-log");
  settings.syslog = options.flag("syslog");
  if (!settings.standard_error && !settings.syslog && settings.file.empty()) {
    return Error{"no-stdout-log leaves the log nowhere to go; give log-file or syslog with it"};
  }
  for (const Facility& facility : kFacilities) {
    if (facility.name == options.text("syslog-facility")) settings.syslog_facility = facility.value;
  }
  settings.json = options.text("log-format") == "json";
  settings.level = spdlog::level::from_str(options.text("log-level"));
  if (options.flag("verbose") && !options.given("log-level")) settings.level = spdlog::level::debug;
  return settings;
}

Status start_log(const LogSettings& settings) {
  Log& log = the_log();
  log.settings = settings;
  std::vector<spdlog::sink_ptr> sinks;
  if (!settings.file.empty()) {
    auto file = open_file(settings);
    if (!file) return Error{file.error()};
    sinks.push_back(std::move(*file));
  }
  if (settings.standard_error) {
    log.standard_error = std::make_shared<ErrorSink>();
    log.standard_error->set_formatter(make_formatter(settings.json, kTextPattern, "\n"));
    sinks.push_back(log.standard_error);
  }
  if (settings.syslog) {
    constexpr bool kFormatted = true;
    sinks.push_back(std::make_shared<spdlog::sinks::syslog_sink_mt>(kProgram, LOG_PID,
                                                                    settings.syslog_facility, kFormatted));
    sinks.back()->set_formatter(make_formatter(settings.json, "%v", ""));  // the time is syslog's matter
  }
  log.sentences = std::make_shared<spdlog::logger>(kProgram, sinks.begin(), sinks.end());
  log.events = std::make_shared<spdlog::logger>(kEventLogger, sinks.begin(), sinks.end());
  for (const auto& logger : {log.sentences, log.events}) {
    logger->set_level(settings.level);
  }
  collect_log(false);
  spdlog::set_default_logger(log.sentences);
  set_event_logger(log.events.get(), settings.json);
  return Unit{};
}

void reopen_log() {
  Log& log = the_log();
  if (log.settings.file.empty()) return;
  auto file = open_file(log.settings);
  if (!file) return spdlog::error("{}; the old file stays", file.error());
  flush_log();
  for (const auto& logger : {log.sentences, log.events}) logger->sinks().front() = *file;
  spdlog::info("opened log-file={} anew", log.settings.file);
}

void collect_log(bool collect) {
  for (const auto& logger : {the_log().sentences, the_log().events}) {
    logger->flush_on(collect ? spdlog::level::warn : spdlog::level::trace);
  }
}

void flush_log() { spdlog::default_logger_raw()->flush(); }

void log_failure(const std::string& text) {
  Log& log = the_log();
  if (!log.settings.standard_error || !log.settings.json) {
    std::erase(log.sentences->sinks(), log.standard_error);
    std::fprintf(stderr, "%s: %s\n", kProgram, text.c_str());
  }
  spdlog::error("{}", text);
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

}  // namespace turnpike::control
