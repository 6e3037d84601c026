// SPDX-License-Identifier: BSD-3-Clause
// The log file: who may read it, when it is written, and opened anew.
#include "control/log/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "control/log/event.hpp"

namespace turnpike::control {
namespace {

class LogTest : public ::testing::Test {
protected:
  LogTest() {
    char name[] = "/tmp/turnpike-log-XXXXXX";
    directory_ = mkdtemp(name);
    settings_.file = directory_ / "log";
    settings_.standard_error = false;
    before_ = spdlog::default_logger();
  }
  ~LogTest() override {
    spdlog::set_default_logger(before_);
    set_event_logger(nullptr, false);
    std::filesystem::remove_all(directory_);
  }

  std::string read(const char* name = "log") {
    std::ifstream file(directory_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory_;
  LogSettings settings_;
  std::shared_ptr<spdlog::logger> before_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(LogTest, lines_reach_the_file_when_flushed_and_warnings_at_once) {
  ASSERT_TRUE(start_log(settings_));
  spdlog::info("at the start");
  EXPECT_TRUE(contains(read(), "at the start"));
  collect_log(true);
  spdlog::info("first");
  Event(spdlog::level::info, "event").add("user", "alice").write();
  EXPECT_FALSE(contains(read(), "first"));
  flush_log();
  EXPECT_TRUE(contains(read(), " turnpike-control info: first\n")) << read();
  EXPECT_TRUE(contains(read(), " turnpike-control info: event user=alice\n")) << read();
  spdlog::warn("second");
  EXPECT_TRUE(contains(read(), " turnpike-control warning: second\n"));
  spdlog::debug("hidden");
  flush_log();
  EXPECT_FALSE(contains(read(), "hidden"));
}

TEST_F(LogTest, standard_error_gets_the_lines_of_a_turn_in_one_write) {
  std::array<int, 2> pipe_ends;
  ASSERT_EQ(pipe2(pipe_ends.data(), O_DIRECT | O_NONBLOCK), 0);  // each write is a packet of its own
  const int kept = dup(STDERR_FILENO);
  dup2(pipe_ends[1], STDERR_FILENO);
  settings_.file.clear();
  settings_.standard_error = true;
  ASSERT_TRUE(start_log(settings_));
  collect_log(true);
  spdlog::info("one");
  spdlog::info("two");
  flush_log();
  dup2(kept, STDERR_FILENO);
  std::array<char, 1000> lines;
  const ssize_t size = ::read(pipe_ends[0], lines.data(), lines.size());
  for (const int fd : {kept, pipe_ends[0], pipe_ends[1]}) close(fd);
  ASSERT_GT(size, 0);
  const std::string text(lines.data(), static_cast<std::size_t>(size));
  EXPECT_TRUE(contains(text, "one\n") && contains(text, "two\n")) << text;
}

TEST_F(LogTest, others_do_not_read_it_and_old_lines_stay) {
  std::ofstream(settings_.file) << "old\n";
  std::filesystem::permissions(settings_.file, std::filesystem::perms(0600));
  ASSERT_TRUE(start_log(settings_));
  spdlog::warn("new");
  EXPECT_TRUE(read().starts_with("old\n20"));
  std::filesystem::remove(settings_.file);
  reopen_log();
  struct stat info {};
  ASSERT_EQ(stat(settings_.file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0137, 0u);
}

TEST_F(LogTest, opened_anew_after_it_was_renamed) {
  ASSERT_TRUE(start_log(settings_));
  spdlog::info("before");
  std::filesystem::rename(settings_.file, directory_ / "log.1");
  spdlog::info("meanwhile");
  reopen_log();
  spdlog::info("after");
  Event(spdlog::level::info, "event").write();
  flush_log();
  EXPECT_TRUE(contains(read("log.1"), "before") && contains(read("log.1"), "meanwhile"));
  EXPECT_FALSE(contains(read("log.1"), "after"));
  EXPECT_TRUE(contains(read(), "after") && contains(read(), "event"));
  EXPECT_FALSE(contains(read(), "meanwhile"));
}

TEST_F(LogTest, the_old_file_stays_when_the_new_one_cannot_be_opened) {
  ASSERT_TRUE(start_log(settings_));
  const auto elsewhere = directory_.string() + ".moved";
  std::filesystem::rename(directory_, elsewhere);
  reopen_log();
  spdlog::warn("still here");
  std::filesystem::rename(elsewhere, directory_);
  EXPECT_TRUE(contains(read(), "the old file stays"));
  EXPECT_TRUE(contains(read(), "still here"));
}

TEST_F(LogTest, json) {
  settings_.json = true;
  ASSERT_TRUE(start_log(settings_));
  spdlog::warn("a sentence");
  EXPECT_EQ(nlohmann::json::parse(read())["message"], "a sentence");
}

TEST_F(LogTest, why_the_program_ends_is_in_the_file_too) {
  ASSERT_TRUE(start_log(settings_));
  testing::internal::CaptureStderr();
  log_failure("no more");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "turnpike-control: no more\n");
  EXPECT_TRUE(contains(read(), "error: no more"));
}

TEST_F(LogTest, on_standard_error_it_is_said_once) {
  settings_.file.clear();
  settings_.standard_error = true;
  for (const bool json : {false, true}) {
    settings_.json = json;
    ASSERT_TRUE(start_log(settings_));
    testing::internal::CaptureStderr();
    log_failure("no more");
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_EQ(said.starts_with("turnpike-control: "), !json) << said;
  }
}

TEST_F(LogTest, a_file_that_cannot_be_opened_is_named) {
  settings_.file = "/nonexistent/directory/log";
  const auto started = start_log(settings_);
  ASSERT_FALSE(started);
  EXPECT_TRUE(contains(started.error(), "log-file=/nonexistent/directory/log"));
}

Result<LogSettings> settings_of(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "turnpike-control");
  const auto options =
      config::Options::parse(static_cast<int>(arguments.size()), arguments.data(), config::Program::kControl);
  if (!options) return Error{options.error()};
  return LogSettings::read(*options);
}

TEST(LogSettings, from_options) {
  const auto plain = settings_of({});
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->standard_error && !plain->syslog && !plain->json && plain->file.empty());
  EXPECT_EQ(plain->level, spdlog::level::info);
  const auto all = settings_of({"--log-file=/x", "--no-stdout-log", "--syslog",
                                "--syslog-facility=LOG_LOCAL3", "--log-format=json", "--log-level=error"});
  ASSERT_TRUE(all);
  EXPECT_TRUE(!all->standard_error && all->syslog && all->json);
  EXPECT_EQ(all->file, "/x");
  EXPECT_EQ(all->syslog_facility, LOG_LOCAL3);
  EXPECT_EQ(all->level, spdlog::level::err);
  EXPECT_EQ(settings_of({"--verbose"})->level, spdlog::level::debug);
  EXPECT_EQ(settings_of({"--verbose", "--log-level=warning"})->level, spdlog::level::warn);
  EXPECT_TRUE(contains(settings_of({"--no-stdout-log"}).error(), "log-file or syslog"));
  EXPECT_TRUE(contains(settings_of({"--syslog-facility=LOG_KERN"}).error(), "use one of"));
}

// A facility that the option table names and the log does not know would silently be another one.
TEST(LogSettings, every_facility_is_known) {
  const auto& option = config::kOptionTable[config::OptionName("syslog-facility").index];
  std::set<int> values;
  std::string_view rest = option.unit;
  std::size_t names = 0;
  while (!rest.empty()) {
    const std::size_t bar = rest.find('|');
    const std::string argument = "--syslog-facility=" + std::string(rest.substr(0, bar));
    values.insert(settings_of({argument.c_str()})->syslog_facility);
    ++names;
    rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
  }
  EXPECT_EQ(values.size(), names);
  EXPECT_FALSE(values.contains(LOG_KERN));
}

}  // namespace
}  // namespace turnpike::control
