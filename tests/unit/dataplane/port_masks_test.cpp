// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port/port_masks.hpp"

#include <gtest/gtest.h>

namespace turnpike::dataplane {
namespace {

// Which of the masks take the port.
int matches(const std::vector<PortMask>& masks, std::uint32_t port) {
  int count = 0;
  for (const PortMask& mask : masks) count += (port & mask.mask) == mask.value ? 1 : 0;
  return count;
}

TEST(PortMasks, an_aligned_block_is_one_mask) {
  EXPECT_EQ(port_masks({49152, 65535}), (std::vector<PortMask>{{49152, 0xC000}}));
  EXPECT_EQ(port_masks({0, 65535}), (std::vector<PortMask>{{0, 0}}));
  EXPECT_EQ(port_masks({50001, 50001}), (std::vector<PortMask>{{50001, 0xFFFF}}));
  EXPECT_TRUE(port_masks({}).empty());
}

TEST(PortMasks, every_port_of_any_range_is_taken_once_and_no_other) {
  for (const PortRange range :
       {PortRange{49152, 57343}, {49153, 65534}, {1, 65535}, {40001, 60000}, {2, 3}}) {
    const auto masks = port_masks(range);
    EXPECT_LE(masks.size(), 30u);
    for (std::uint32_t port = 0; port < 65536; ++port) {
      ASSERT_EQ(matches(masks, port), range.contains(static_cast<std::uint16_t>(port)) ? 1 : 0) << port;
    }
  }
}

TEST(PortMasks, blocks_of_workers_do_not_overlap) {
  std::vector<PortMask> all;
  for (WorkerIndex worker = 0; worker < 3; ++worker) {
    for (const PortMask& mask : port_masks(worker_ports(worker, 3, 49152, 65535))) all.push_back(mask);
  }
  for (std::uint32_t port = 49152; port < 65536; ++port) ASSERT_EQ(matches(all, port), 1) << port;
}

}  // namespace
}  // namespace turnpike::dataplane
