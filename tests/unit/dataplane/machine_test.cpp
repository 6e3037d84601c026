// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/machine.hpp"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/temporary_directory.hpp"

namespace turnpike::dataplane {
namespace {

using Ranges = std::vector<std::pair<unsigned, unsigned>>;

TEST(Ranges, lists_of_sysfs) {
  EXPECT_EQ(parse_ranges("0-3,8,10-11"), (Ranges{{0, 3}, {8, 8}, {10, 11}}));
  EXPECT_EQ(parse_ranges(""), Ranges{});
  EXPECT_EQ(parse_ranges("x,5-4,-,7-,1"), (Ranges{{1, 1}})) << "what is malformed is left out";
}

TEST(Ranges, covering) {
  EXPECT_TRUE(covers({{49152, 65535}}, 49152, 60999));
  EXPECT_TRUE(covers({{50000, 60999}, {49152, 49999}}, 49152, 60999)) << "two that touch, in any order";
  EXPECT_FALSE(covers({{49152, 49999}, {50001, 60999}}, 49152, 60999));
  EXPECT_FALSE(covers({}, 1, 1));
  EXPECT_TRUE(covers({{1, 10}, {2, 3}}, 1, 10)) << "one inside the other";
}

TEST(Machine, hugepages_of_every_node_and_size) {
  TemporaryDirectory root;
  const std::string nodes = "sys/devices/system/node/";
  root.write(nodes + "node0/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
  root.write(nodes + "node0/hugepages/hugepages-2048kB/free_hugepages", "100\n");
  root.write(nodes + "node1/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
  root.write(nodes + "node1/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
  root.write(nodes + "possible", "0-1\n");
  const Machine machine(root.path());
  const auto pools = machine.hugepages();
  ASSERT_EQ(pools.size(), 2u);
  EXPECT_EQ(pools[0].page_kib, 2048u);
  EXPECT_EQ(pools[0].free, 100u);
  EXPECT_EQ(pools[1].node, 1);
  EXPECT_EQ(machine.free_hugepage_bytes(), (100ull << 21) + (1ull << 30));
}

TEST(Machine, hugepages_without_numa) {
  TemporaryDirectory root;
  root.write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "8\n");
  root.write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "8\n");
  EXPECT_EQ(Machine(root.path()).free_hugepage_bytes(), 16u << 20);
}

TEST(Machine, pci_device_and_its_holder) {
  TemporaryDirectory root;
  const std::string device = "sys/bus/pci/devices/0000:3b:00.1/";
  root.write(device + "numa_node", "1\n");
  root.link(device + "driver", "../../drivers/ixgbe");
  root.link(device + "iommu_group", "../../iommu_groups/7");
  root.write(device + "net/eth7/address", "02:00:00:00:00:01\n");
  const Machine machine(root.path());
  const auto found = machine.pci_device("0000:3b:00.1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->driver, "ixgbe");
  EXPECT_EQ(found->netdev, "eth7");
  EXPECT_EQ(found->numa_node, 1);
  EXPECT_FALSE(found->iommu) << "a dangling link is no group";
  EXPECT_FALSE(machine.pci_device("0000:3b:00.0"));
  EXPECT_FALSE(machine.has_iommu());
}

TEST(Machine, empty_root_has_nothing) {
  TemporaryDirectory root;
  const Machine machine(root.path());
  EXPECT_TRUE(machine.hugepages().empty());
  EXPECT_TRUE(machine.isolated_cpus().empty());
  EXPECT_FALSE(machine.local_port_range());
  EXPECT_TRUE(machine.reserved_ports().empty());
}

}  // namespace
}  // namespace turnpike::dataplane
