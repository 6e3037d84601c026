// SPDX-License-Identifier: BSD-3-Clause
// turnpikectl's text.
#include "control/ctl/format.hpp"

#include <gtest/gtest.h>

namespace turnpike::ctl {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Format, tables_line_up) {
  Table table({{"NAME"}, {"COUNT", true}, {"TEXT"}});
  table.add({"a", "1", "first"});
  table.add({"longer name", "12345678", ""});
  EXPECT_EQ(table.text(),
            "NAME            COUNT  TEXT\n"
            "a                   1  first\n"
            "longer name  12345678\n");
}

TEST(Format, durations) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(59), "59s");
  EXPECT_EQ(format_duration(60), "1m 0s");
  EXPECT_EQ(format_duration(3600 * 3 + 60 * 4), "3h 4m");
  EXPECT_EQ(format_duration(86400 * 2 + 3600), "2d 1h");
}

Json session(const std::string& user) {
  return {{"user", user},
          {"client", "192.0.2.7:4000"},
          {"server", "10.0.1.1:3478"},
          {"relays", {"10.0.2.1:50000", "[fd00::1]:50001"}},
          {"expires_in_s", 599},
          {"to_peer", {{"packets", 12}, {"bytes", 3400}, {"over_limit", 7}}},
          {"to_client", {{"packets", 5}, {"bytes", 600}, {"over_limit", 0}}},
          {"max_bps", 64000},
          {"peers",
           {{{"peer", "203.0.113.9"}, {"expires_in_s", 200}},
            {{"peer", "203.0.113.9:7000"}, {"channel", 16384}, {"expires_in_s", 500}}}}};
}

TEST(Format, draining) {
  Json answer{{"ok", true}, {"drain", {{"on", false}}}};
  EXPECT_EQ(format_drain(answer), "not draining\n");
  answer["drain"] = {{"on", true}, {"allocations", 12}, {"min_allocations", 2}, {"deadline_in_s", Json()}};
  EXPECT_EQ(format_drain(answer), "draining: 12 allocation(s) left; ends when 2 or fewer are left\n");
  answer["drain"]["deadline_in_s"] = 61;
  EXPECT_TRUE(contains(format_drain(answer), "left, or in 1m 1s\n")) << format_drain(answer);
}

TEST(Format, sessions) {
  const Json answer{{"ok", true}, {"total", 2}, {"sessions", Json::array({session("alice")})}};
  const std::string text = format_sessions(answer);
  EXPECT_TRUE(contains(text, "192.0.2.7:4000")) << text;
  EXPECT_TRUE(contains(text, "10.0.2.1:50000, [fd00::1]:50001")) << text;
  EXPECT_TRUE(contains(text, "12/3400")) << text;
  EXPECT_TRUE(contains(text, "5/600")) << text;
  EXPECT_TRUE(contains(text, "64000 B/s, 7/0")) << text;
  Json unlimited = session("bob");
  unlimited["max_bps"] = 0;
  const Json second{{"ok", true}, {"total", 1}, {"sessions", Json::array({unlimited})}};
  EXPECT_TRUE(contains(format_sessions(second), " none ")) << format_sessions(second);
  EXPECT_TRUE(contains(text, "9m 59s")) << text;
  EXPECT_TRUE(contains(text, "203.0.113.9, 203.0.113.9:7000#0x4000")) << text;
  EXPECT_TRUE(contains(text, "2 session(s), the first 1 shown")) << text;
  EXPECT_EQ(format_sessions({{"ok", true}, {"total", 0}, {"sessions", Json::array()}}), "0 session(s)\n");
}

TEST(Format, a_user_name_cannot_steer_the_terminal) {
  const Json answer{{"ok", true}, {"total", 1}, {"sessions", Json::array({session("\x1b[31mred\n")})}};
  const std::string text = format_sessions(answer);
  EXPECT_FALSE(contains(text, "\x1b"));
  EXPECT_TRUE(contains(text, "?[31mred?"));
}

TEST(Format, drops_that_never_happened_are_left_out) {
  const auto drop = [](const char* reason, int count) {
    return Json{
        {"reason", reason}, {"text", "why"}, {"total", count}, {"workers", {{"0", count}, {"main", 0}}}};
  };
  const Json answer{{"ok", true}, {"drops", Json::array({drop("tx_full", 9), drop("no_mbuf", 0)})}};
  EXPECT_EQ(format_drops(answer, false),
            "REASON   TOTAL  0  main  MEANING\n"
            "tx_full      9  9     0  why\n");
  EXPECT_TRUE(contains(format_drops(answer, true), "no_mbuf"));
  const Json none{{"ok", true}, {"drops", Json::array({drop("no_mbuf", 0)})}};
  EXPECT_EQ(format_drops(none, false), "no packet was dropped\n");
}

TEST(Format, an_answer_of_another_release_is_noticed) {
  EXPECT_THROW(format_status(Json{{"ok", true}}), Json::exception);
  EXPECT_THROW(format_sessions(Json{{"ok", true}}), Json::exception);
}

}  // namespace
}  // namespace turnpike::ctl
