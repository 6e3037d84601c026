// SPDX-License-Identifier: BSD-3-Clause
// The generator's defaults, and what it refuses.
#include "bench/load/port_name.hpp"

#include <gtest/gtest.h>

namespace turnpike::load {
namespace {

using shm::PortKind;

TEST(PortName, memif_is_a_client_without_copies_unless_told_otherwise) {
  const auto plain = parse_port_name("memif:/run/x.sock");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->kind(), PortKind::kMemif);
  EXPECT_EQ(plain->spec.device, "/run/x.sock");
  EXPECT_FALSE(plain->spec.memif_server);
  EXPECT_TRUE(plain->zero_copy);
  EXPECT_FALSE(plain->has_neighbours());

  const auto copying = parse_port_name("memif:/run/x.sock,zero-copy=no,role=client,rsize=11");
  ASSERT_TRUE(copying);
  EXPECT_FALSE(copying->zero_copy);
  EXPECT_EQ(copying->spec.driver_args, "rsize=11");

  const auto server = parse_port_name("memif:/run/x.sock,role=server");
  ASSERT_TRUE(server);
  EXPECT_TRUE(server->spec.memif_server);
  EXPECT_FALSE(server->zero_copy);
}

TEST(PortName, other_kinds) {
  EXPECT_TRUE(parse_port_name("null")->null);
  EXPECT_FALSE(parse_port_name("null")->has_neighbours());
  const auto xdp = parse_port_name("xdp:eth0,mode=zero-copy");
  ASSERT_TRUE(xdp);
  EXPECT_EQ(xdp->spec.xdp_mode, dataplane::XdpMode::kZeroCopy);
  EXPECT_TRUE(xdp->has_neighbours());
  EXPECT_EQ(parse_port_name("vhost:/run/v.sock")->kind(), PortKind::kVhost);
  EXPECT_EQ(parse_port_name("pci:3b:00.1")->spec.device, "0000:3b:00.1");
}

TEST(PortName, refusals_name_the_port_and_what_to_do) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "--port memif:PATH"},
      {"memif:x.sock", "absolute path"},
      {"memif:/x.sock,role=both", "server or client"},
      {"memif:/x.sock,zero-copy=1", "yes or no"},
      {"memif:/x.sock,role=server,zero-copy=yes", "leave role=server away"},
      {"socket:0.0.0.0:3478", "--sockets"},
      {"nul", "unknown kind"},
  };
  for (const auto& [text, hint] : cases) {
    const auto name = parse_port_name(text);
    ASSERT_FALSE(name) << text;
    EXPECT_NE(name.error().find(hint), std::string::npos) << name.error();
  }
}

}  // namespace
}  // namespace turnpike::load
