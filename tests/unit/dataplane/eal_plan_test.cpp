// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/eal.hpp"
#include "tests/unit/dataplane/temporary_directory.hpp"

namespace turnpike::dataplane {
namespace {

class EalPlanTest : public testing::Test {
protected:
  void SetUp() override {
    options_.paths.instance = "blue";
    options_.lcores.eal_lcores = "0@0,1@1";
    options_.capacity = {1, 16384, 65536, 32768, 2048, 2048};
    options_.mbufs = 16384;
  }
  void ports(const std::vector<std::string>& texts) { options_.ports = *parse_port_specs(texts); }
  void hugepages(int free) {
    const std::string pool = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/";
    root_.write(pool + "nr_hugepages", std::to_string(free));
    root_.write(pool + "free_hugepages", std::to_string(free));
  }
  Result<EalPlan> plan() { return plan_eal(options_, Machine(root_.path())); }
  static bool has(const EalPlan& plan, const std::string& argument) {
    return std::find(plan.arguments.begin(), plan.arguments.end(), argument) != plan.arguments.end();
  }
  // The argument after `name`.
  static std::string value(const EalPlan& plan, const std::string& name) {
    const auto found = std::find(plan.arguments.begin(), plan.arguments.end(), name);
    return found == plan.arguments.end() || found + 1 == plan.arguments.end() ? "" : found[1];
  }

  StartOptions options_;
  TemporaryDirectory root_;
};

TEST_F(EalPlanTest, hugepages_when_there_are_enough) {
  ports({"xdp:s0"});
  hugepages(512);
  const auto made = plan();
  ASSERT_TRUE(made);
  EXPECT_TRUE(has(*made, "--in-memory"));
  EXPECT_FALSE(has(*made, "--no-huge"));
  EXPECT_EQ(made->note, "");
  EXPECT_EQ(value(*made, "--lcores"), "0@0,1@1");
  EXPECT_EQ(value(*made, "--file-prefix"), "turnpike-blue");
  EXPECT_TRUE(has(*made, "--no-pci"));
  EXPECT_EQ(value(*made, "--iova-mode"), "va");
}

TEST_F(EalPlanTest, ordinary_memory_when_not_and_one_line_says_so) {
  ports({"memif:/tmp/x"});
  hugepages(3);
  const auto made = plan();
  ASSERT_TRUE(made);
  EXPECT_TRUE(has(*made, "--no-huge"));
  EXPECT_FALSE(has(*made, "--in-memory")) << "EAL refuses the two together";
  EXPECT_EQ(value(*made, "-m"), std::to_string((needed_bytes(options_) + (1u << 20) - 1) >> 20));
  EXPECT_NE(made->note.find("nr_hugepages"), std::string::npos);
}

TEST_F(EalPlanTest, asked_for_is_not_noted) {
  ports({"xdp:s0"});
  hugepages(512);
  options_.no_huge = true;
  options_.memory_mib = 300;
  const auto made = plan();
  ASSERT_TRUE(made);
  EXPECT_TRUE(has(*made, "--no-huge"));
  EXPECT_EQ(value(*made, "-m"), "300");
  EXPECT_EQ(made->note, "");
}

TEST_F(EalPlanTest, pci_cannot_do_without_hugepages) {
  ports({"xdp:s0", "pci:0000:3b:00.1"});
  const auto none = plan();
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().find("nr_hugepages"), std::string::npos);
  hugepages(512);
  EXPECT_TRUE(plan());
  options_.no_huge = true;
  EXPECT_FALSE(plan());
}

TEST_F(EalPlanTest, only_the_named_pci_devices_are_probed) {
  ports({"pci:0000:3b:00.1,mprq_en=1", "pci:0000:3b:00.2"});
  hugepages(512);
  const auto made = plan();
  ASSERT_TRUE(made);
  EXPECT_FALSE(has(*made, "--no-pci"));
  EXPECT_TRUE(has(*made, "0000:3b:00.1,mprq_en=1"));
  EXPECT_TRUE(has(*made, "0000:3b:00.2"));
  EXPECT_EQ(std::count(made->arguments.begin(), made->arguments.end(), "-a"), 2);
  EXPECT_EQ(value(*made, "--iova-mode"), "") << "the NIC's business";
}

TEST_F(EalPlanTest, the_operators_arguments_come_last) {
  ports({"vdev:net_null0"});
  options_.eal_arguments = {"--force-max-simd-bitwidth=256"};
  const auto made = plan();
  ASSERT_TRUE(made);
  EXPECT_EQ(made->arguments.back(), "--force-max-simd-bitwidth=256");
}

}  // namespace
}  // namespace turnpike::dataplane
