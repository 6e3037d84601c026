// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/doctor.hpp"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/temporary_directory.hpp"

namespace turnpike::dataplane {
namespace {

class DoctorTest : public testing::Test {
protected:
  void SetUp() override {
    options_.lcores = *plan_lcores(1, "", affinity_cpus());
    options_.capacity = {1, 1000, 1000, 1000, 1024, 1024};
    options_.mbufs = 2048;
    options_.relay_min = 49152;
    options_.relay_max = 65535;
  }
  void ports(const std::vector<std::string>& texts) { options_.ports = *parse_port_specs(texts); }
  Machine machine() const { return Machine(root_.path()); }

  StartOptions options_;
  TemporaryDirectory root_;
};

TEST_F(DoctorTest, missing_hugepages_fail_for_pci_only) {
  ports({"xdp:s0"});
  EXPECT_EQ(check_memory(options_, machine()).back().verdict, Verdict::kWarn);
  ports({"pci:3b:00.1"});
  const Finding finding = check_memory(options_, machine()).back();
  EXPECT_EQ(finding.verdict, Verdict::kFail);
  EXPECT_NE(finding.remedy.find("nr_hugepages"), std::string::npos);
  root_.write("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
  root_.write("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
  EXPECT_EQ(check_memory(options_, machine()).back().verdict, Verdict::kOk);
}

TEST_F(DoctorTest, relay_range_and_the_kernels_ports) {
  const auto verdict = [&] { return check_relay_range(options_, machine()).front().verdict; };
  root_.write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
  root_.write("proc/sys/net/ipv4/ip_local_reserved_ports", "\n");
  EXPECT_EQ(verdict(), Verdict::kWarn);
  root_.write("proc/sys/net/ipv4/ip_local_reserved_ports", "49152-60000\n");
  EXPECT_EQ(verdict(), Verdict::kWarn) << "the last thousand is still the kernel's";
  root_.write("proc/sys/net/ipv4/ip_local_reserved_ports", "80,49152-60999\n");
  EXPECT_EQ(verdict(), Verdict::kOk);
  root_.write("proc/sys/net/ipv4/ip_local_reserved_ports", "\n");
  root_.write("proc/sys/net/ipv4/ip_local_port_range", "20000\t49151\n");
  EXPECT_EQ(verdict(), Verdict::kOk);
}

TEST_F(DoctorTest, missing_device_fails_with_a_remedy) {
  ports({"xdp:nope0"});
  const auto findings = check_ports(options_, machine());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].verdict, Verdict::kFail);
  EXPECT_NE(findings[0].text.find("nope0"), std::string::npos);
  EXPECT_FALSE(findings[0].remedy.empty());
}

TEST_F(DoctorTest, isolated_cpus_are_told) {
  EXPECT_EQ(check_cpus(options_, machine()).back().verdict, Verdict::kWarn);
  root_.write("sys/devices/system/cpu/isolated", "2-3\n");
  const Finding finding = check_cpus(options_, machine()).back();
  EXPECT_EQ(finding.verdict, Verdict::kOk);
  EXPECT_NE(finding.text.find("2,3"), std::string::npos);
}

TEST(DoctorLine, verdict_first_remedy_below) {
  EXPECT_EQ(to_line({Verdict::kOk, "fine", ""}), "OK   fine");
  EXPECT_EQ(to_line({Verdict::kFail, "broken", "mend it"}), "FAIL broken\n     -> mend it");
}

}  // namespace
}  // namespace turnpike::dataplane
