// SPDX-License-Identifier: BSD-3-Clause
// What a driver tells about its device reaches the port's state.
#include "dataplane/port/ethdev.hpp"

#include <string>

#include "tests/stages/stage_fixture.hpp"

// ethdev's side for drivers, of which Debian has no header.
struct rte_eth_dev;
extern "C" int rte_eth_dev_callback_process(rte_eth_dev* device, rte_eth_event_type event, void* result);
extern "C" char rte_eth_devices[];  // an array of what only drivers know: the first one is where it begins

namespace turnpike::test {
namespace {

class EthdevTest : public StageTest, public ::testing::WithParamInterface<rte_eth_event_type> {};

TEST_P(EthdevTest, lost_when_its_driver_says_so) {
  auto probed = dataplane::Ethdev::probe("net_null" +
                                         std::to_string(GetParam()));  // one that was closed never comes back
  ASSERT_TRUE(probed) << probed.error();
  ASSERT_EQ(probed->id(), 0) << "the event below is the first device's";
  dataplane::Ethdev device = std::move(*probed);
  const auto tell = [](rte_eth_event_type event) {
    rte_eth_dev_callback_process(reinterpret_cast<rte_eth_dev*>(rte_eth_devices), event, nullptr);
  };
  tell(RTE_ETH_EVENT_INTR_LSC);
  EXPECT_FALSE(device.lost());
  tell(GetParam());
  EXPECT_TRUE(device.lost());
}

INSTANTIATE_TEST_SUITE_P(All, EthdevTest,
                         ::testing::Values(RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV));

}  // namespace
}  // namespace turnpike::test
