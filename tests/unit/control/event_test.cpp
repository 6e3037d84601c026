// SPDX-License-Identifier: BSD-3-Clause
// Log lines with fields, whatever the fields hold.
#include "control/log/event.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "control/log/json_formatter.hpp"

namespace turnpike::control {
namespace {

class EventTest : public ::testing::Test {
protected:
  void start(bool json, spdlog::level::level_enum level = spdlog::level::info) {
    sink_ = std::make_shared<spdlog::sinks::ostream_sink_st>(out_);
    if (json) {
      sink_->set_formatter(std::make_unique<JsonFormatter>("\n"));
    } else {
      sink_->set_pattern("%l: %v");
    }
    logger_ = std::make_shared<spdlog::logger>(kEventLogger, sink_);
    logger_->set_level(level);
    set_event_logger(logger_.get(), json);
  }
  ~EventTest() override { set_event_logger(nullptr, false); }

  std::string taken() { return std::exchange(out_, std::ostringstream()).str(); }

  std::ostringstream out_;
  spdlog::sink_ptr sink_;
  std::shared_ptr<spdlog::logger> logger_;
};

const std::string kHostile = "ma\"l\nl=o\\r\x1b[31m\xff\xc3\xa9";

TEST_F(EventTest, text) {
  start(false);
  Event(spdlog::level::warn, "something")
      .add("client", "192.0.2.1:5000")
      .add("count", 7)
      .add("peers", std::vector<std::string>{"2001:db8::1", "192.0.2.9"})
      .add("none", std::vector<std::string>{})
      .add("user", "")
      .write();
  EXPECT_EQ(taken(),
            "warning: something client=192.0.2.1:5000 count=7 peers=2001:db8::1,192.0.2.9 none= user=\"\"\n");
}

TEST_F(EventTest, hostile_text_stays_one_value_on_one_line) {
  start(false);
  Event(spdlog::level::info, "e").add("user", kHostile).add("next", "x").write();
  EXPECT_EQ(taken(), R"(info: e user="ma\x22l\x0al=o\x5cr\x1b[31m\xff\xc3\xa9" next=x)"
                     "\n");
  EXPECT_EQ(text_value("a=b"), "\"a=b\"");
  EXPECT_EQ(text_value("a b"), "\"a b\"");
}

TEST_F(EventTest, json_is_one_object_a_line) {
  start(true);
  Event(spdlog::level::info, "e")
      .add("user", kHostile)
      .add("count", 7)
      .add("peers", std::vector<std::string>{"a", "b"})
      .add("none", std::vector<std::string>{})
      .write();
  const std::string line = taken();
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x7F; }));
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["event"], "e");
  EXPECT_EQ(object["level"], "info");
  EXPECT_EQ(object["user"], "ma\"l\nl=o\\r\x1b[31m\xef\xbf\xbd\xc3\xa9");
  EXPECT_EQ(object["count"], 7);
  EXPECT_EQ(object["peers"], (nlohmann::json{"a", "b"}));
  EXPECT_EQ(object["none"], nlohmann::json::array());
  const std::string time = object["time"];
  EXPECT_EQ(time.size(), std::string("2026-01-31T12:00:00.123Z").size());
  EXPECT_EQ(time.back(), 'Z');
  EXPECT_EQ(time[10], 'T');
}

TEST_F(EventTest, sentences_become_objects_too) {
  start(true);
  spdlog::logger sentences("turnpike-control", sink_);
  sentences.warn("it says \"{}\"", "a\nb");
  const auto object = nlohmann::json::parse(taken());
  EXPECT_EQ(object["event"], "log");
  EXPECT_EQ(object["level"], "warning");
  EXPECT_EQ(object["message"], "it says \"a\nb\"");
}

TEST_F(EventTest, level_and_no_logger) {
  start(false, spdlog::level::warn);
  EXPECT_FALSE(event_wanted(spdlog::level::info));
  Event(spdlog::level::info, "e").write();
  EXPECT_EQ(taken(), "");
  set_event_logger(nullptr, false);
  EXPECT_FALSE(event_wanted(spdlog::level::err));
  Event(spdlog::level::err, "e").write();
  EXPECT_EQ(taken(), "");
}

}  // namespace
}  // namespace turnpike::control
