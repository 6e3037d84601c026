// SPDX-License-Identifier: BSD-3-Clause
// What --abi prints is read again, and what is no program of ours is named.
#include "control/ctl/upgrade_check.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace turnpike::ctl {
namespace {

using Json = nlohmann::ordered_json;

// A file of a test, executable or not.
class File {
public:
  File(const std::string& text, mode_t mode) {
    char name[] = "/tmp/turnpike-upgrade-XXXXXX";
    close(mkstemp(name));
    path = name;
    std::ofstream(path) << text;
    chmod(name, mode);
  }
  ~File() { std::filesystem::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path;
};

TEST(AbiLine, is_read_as_it_was_written) {
  const shm::AbiLine line{"turnpike-control", "1.2.3", 9, 4};
  EXPECT_EQ(to_text(line), "turnpike-control 1.2.3 abi 9 ledger 4");
  const auto read = shm::parse_abi_line(to_text(line) + " later 5\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(to_text(*read), to_text(line));
  for (const char* other :
       {"", "turnpike-control", "coturn 4.6 abi 7 ledger 0", "turnpike-control 1 abi x ledger 0",
        "turnpike-control 1 abi 7", "turnpike-control 1 ledger 7 abi 0"}) {
    EXPECT_FALSE(shm::parse_abi_line(other)) << other;
  }
}

TEST(UpgradeCheck, a_program_of_ours_is_asked) {
  const File program("#!/bin/sh\n[ \"$1\" = --abi ] && echo turnpike-dataplane 9.9 abi 8 ledger 1\n", 0700);
  const auto found = ask_binary(program.path);
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(to_text(*found), "turnpike-dataplane 9.9 abi 8 ledger 1");
}

TEST(UpgradeCheck, what_is_none_is_named_with_the_remedy) {
  EXPECT_NE(ask_binary("/nonexistent/program").error().find("No such file"), std::string::npos);
  EXPECT_NE(ask_binary("/tmp").error().find("not a file"), std::string::npos);
  const File plain("x", 0600);
  EXPECT_NE(ask_binary(plain.path).error().find("chmod +x"), std::string::npos);
  const File garbage("x", 0700);
  EXPECT_NE(ask_binary(garbage.path).error().find("does not start"), std::string::npos);
  EXPECT_NE(ask_binary("/bin/true").error().find("no turnpike-dataplane"), std::string::npos);
}

TEST(UpgradeCheck, both_numbers_must_be_the_running_ones) {
  const Json status{
      {"version", "1.0"}, {"dataplane", {{"version", "0.9"}}}, {"abi", {{"region", 7}, {"ledger", 2}}}};
  const auto judged = [&](std::uint32_t abi, std::uint32_t ledger) {
    return judge_upgrade("/new", {"turnpike-dataplane", "1.1", abi, ledger}, status);
  };
  EXPECT_TRUE(judged(7, 2).in_place);
  EXPECT_NE(judged(7, 2).text.find("running turnpike-dataplane 0.9"), std::string::npos);
  for (const UpgradeVerdict& verdict : {judged(8, 2), judged(7, 3)}) {
    EXPECT_FALSE(verdict.in_place);
    EXPECT_NE(verdict.text.find("drain"), std::string::npos) << verdict.text;
  }
}

TEST(UpgradeCheck, without_a_running_control_our_own_release_stands_for_it) {
  EXPECT_TRUE(judge_upgrade("/new", {"turnpike-control", "1"}, std::nullopt).in_place);
  const auto verdict = judge_upgrade("/new", {"turnpike-control", "1", shm::kAbiVersion + 1}, std::nullopt);
  EXPECT_FALSE(verdict.in_place);
  EXPECT_NE(verdict.text.find("no turnpike-control runs here"), std::string::npos);
}

TEST(UpgradeCheck, a_control_that_says_nothing_of_it_is_an_older_one) {
  const Json status{{"version", "0.0.9"}, {"dataplane", {{"version", "0.0.9"}}}};
  EXPECT_FALSE(judge_upgrade("/new", {"turnpike-control", "1"}, status).in_place);
}

}  // namespace
}  // namespace turnpike::ctl
