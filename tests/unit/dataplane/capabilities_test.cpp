// SPDX-License-Identifier: BSD-3-Clause
// The table of docs/operations.md: what ports need while they run.
#include "dataplane/capabilities.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>

namespace turnpike::dataplane {
namespace {

using process::CapabilitySet;
using shm::PortKind;

StartOptions with(std::initializer_list<PortKind> kinds, bool own_user) {
  StartOptions options;
  for (const PortKind kind : kinds) options.ports.emplace_back().kind = kind;
  options.relay_min = 49152;
  if (own_user) options.run_as = process::User{"somebody", 1000, 1000};
  return options;
}

TEST(Capabilities, a_user_of_its_own_needs_none_on_sockets_xdp_and_memif) {
  const RunningPorts everything{true, true};
  for (const PortKind kind : {PortKind::kSocket, PortKind::kXdp, PortKind::kMemif, PortKind::kVhost}) {
    EXPECT_EQ(kept_capabilities(with({kind}, true), everything), CapabilitySet{});
  }
}

TEST(Capabilities, root_keeps_what_the_end_or_a_new_peer_needs) {
  EXPECT_EQ(kept_capabilities(with({PortKind::kXdp}, false), {}), CapabilitySet{});
  EXPECT_EQ(kept_capabilities(with({PortKind::kXdp}, false), {true, false}), CapabilitySet{CAP_NET_ADMIN});
  EXPECT_EQ(kept_capabilities(with({PortKind::kSocket}, false), {}), CapabilitySet{});
  EXPECT_EQ(kept_capabilities(with({PortKind::kSocket}, false), {false, true}), CapabilitySet{CAP_NET_ADMIN});
  EXPECT_EQ(kept_capabilities(with({PortKind::kMemif}, false), {}), CapabilitySet{CAP_DAC_OVERRIDE});
}

TEST(Capabilities, drivers_of_nics_keep_theirs_for_every_user) {
  const CapabilitySet pci{CAP_IPC_LOCK, CAP_NET_ADMIN, CAP_NET_RAW};
  EXPECT_EQ(kept_capabilities(with({PortKind::kPci}, true), {}), pci);
  EXPECT_EQ(kept_capabilities(with({PortKind::kPci, PortKind::kXdp}, true), {}), pci)
      << "of all ports together";
}

TEST(Capabilities, relay_ports_below_1024_are_bound_as_sessions_come) {
  StartOptions options = with({PortKind::kSocket}, true);
  options.relay_min = 700;
  EXPECT_EQ(kept_capabilities(options, {}), CapabilitySet{CAP_NET_BIND_SERVICE});
}

}  // namespace
}  // namespace turnpike::dataplane
