// SPDX-License-Identifier: BSD-3-Clause
// The kernel's ephemeral ports against the relay range, on files that look like /proc.
#include "control/runtime/port_range.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace turnpike::control {
namespace {

constexpr PortRange kRelay{49152, 65535};
constexpr PortRange kUsual{32768, 60999};

class Proc : public ::testing::Test {
protected:
  void SetUp() override { directory_ = mkdtemp(pattern_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void write(const char* name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text << "\n";
  }
  std::string reserved() {
    std::string line;
    std::ifstream file(directory_ + "/ip_local_reserved_ports");
    std::getline(file, line);
    return line;
  }

  char pattern_[40] = "/tmp/turnpike-proc-XXXXXX";
  std::string directory_;
};

TEST(PortRange, parsing) {
  EXPECT_EQ(parse_port_range("32768\t60999\n"), kUsual);
  EXPECT_TRUE(parse_port_range("32768").empty());
  EXPECT_TRUE(parse_port_range("x y").empty());
  const auto reserved = parse_reserved_ports("8080,9148-9200\n");
  ASSERT_TRUE(reserved);
  EXPECT_EQ(*reserved, (std::vector<PortRange>{{8080, 8080}, {9148, 9200}}));
  EXPECT_TRUE(parse_reserved_ports("\n")->empty());
  EXPECT_FALSE(parse_reserved_ports("80-x"));
}

TEST(PortRange, only_what_the_kernel_hands_out_must_be_reserved) {
  EXPECT_FALSE(is_reserved(kRelay, kUsual, {}));
  EXPECT_TRUE(is_reserved(kRelay, {32768, 49151}, {}));
  EXPECT_TRUE(is_reserved(kRelay, kUsual, {{49152, 60999}}));
  EXPECT_TRUE(is_reserved(kRelay, kUsual, {{55000, 65535}, {49152, 54999}}));
  EXPECT_FALSE(is_reserved(kRelay, kUsual, {{49152, 54999}, {55001, 65535}})) << "port 55000";
  EXPECT_TRUE(is_reserved({65535, 65535}, {1024, 65535}, {{65535, 65535}}));
  EXPECT_FALSE(is_reserved({65535, 65535}, {1024, 65535}, {}));
}

TEST_F(Proc, range_is_appended_to_what_others_reserved) {
  write("ip_local_port_range", "32768\t60999");
  write("ip_local_reserved_ports", "8080");
  const auto reserved_line = reserve_ports(kRelay, directory_);
  ASSERT_TRUE(reserved_line) << reserved_line.error();
  EXPECT_FALSE(reserved_line->empty());
  EXPECT_EQ(reserved(), "8080,49152-65535");
  const auto again = reserve_ports(kRelay, directory_);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, "") << "nothing left to do";
}

TEST_F(Proc, nothing_reserved_before) {
  write("ip_local_port_range", "32768\t60999");
  write("ip_local_reserved_ports", "");
  ASSERT_TRUE(reserve_ports(kRelay, directory_));
  EXPECT_EQ(reserved(), "49152-65535");
}

TEST_F(Proc, when_it_cannot_be_written_the_command_is_told) {
  write("ip_local_port_range", "32768\t60999");
  // A number that nobody may write, not even root.
  std::filesystem::create_symlink("/proc/sys/kernel/random/entropy_avail",
                                  directory_ + "/ip_local_reserved_ports");
  const auto refused = reserve_ports(kRelay, directory_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("sysctl -w net.ipv4.ip_local_reserved_ports="), std::string::npos)
      << refused.error();
  EXPECT_NE(refused.error().find(",49152-65535"), std::string::npos) << refused.error();
}

}  // namespace
}  // namespace turnpike::control
