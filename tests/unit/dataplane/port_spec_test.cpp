// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port/port_spec.hpp"

#include <gtest/gtest.h>

namespace turnpike::dataplane {
namespace {

using shm::PortKind;

PortSpec parse(std::string_view text, std::size_t index = 0) {
  auto spec = parse_port_spec(text, index);
  EXPECT_TRUE(spec) << text << ": " << (spec ? "" : spec.error());
  return spec ? *spec : PortSpec{};
}

std::string error_of(std::string_view text) {
  const auto spec = parse_port_spec(text, 0);
  EXPECT_FALSE(spec) << text;
  return spec ? "" : spec.error();
}

TEST(PortSpec, pci_gets_long_address_and_default_twin) {
  const PortSpec spec = parse("pci:3B:00.1", 2);
  EXPECT_EQ(spec.kind, PortKind::kPci);
  EXPECT_EQ(spec.device, "0000:3b:00.1");
  EXPECT_EQ(spec.twin, "tp2");
  EXPECT_EQ(spec.text, "pci:3B:00.1");
}

TEST(PortSpec, pci_passes_the_drivers_arguments_on) {
  const PortSpec spec = parse("pci:0000:3b:00.1,rxq_cqe_comp_en=0,twin=none,mprq_en=1,mtu=9000");
  EXPECT_EQ(spec.driver_args, "rxq_cqe_comp_en=0,mprq_en=1");
  EXPECT_EQ(spec.twin, "");
  EXPECT_EQ(spec.mtu, 9000);
}

TEST(PortSpec, xdp_takes_mode_and_queues) {
  const PortSpec plain = parse("xdp:eth0");
  EXPECT_EQ(plain.kind, PortKind::kXdp);
  EXPECT_EQ(plain.xdp_mode, XdpMode::kAuto);
  EXPECT_EQ(plain.queues, 0);
  EXPECT_EQ(plain.twin, "") << "the netdev is its own kernel side";
  const PortSpec spec = parse("xdp:enp1s0f0,queues=4,mode=zero-copy");
  EXPECT_EQ(spec.device, "enp1s0f0");
  EXPECT_EQ(spec.queues, 4);
  EXPECT_EQ(spec.xdp_mode, XdpMode::kZeroCopy);
}

TEST(PortSpec, memif_is_server_unless_told) {
  EXPECT_TRUE(parse("memif:/run/x.sock").memif_server);
  const PortSpec spec = parse("memif:/run/x.sock,role=client,id=3,rsize=11,twin=m0");
  EXPECT_FALSE(spec.memif_server);
  EXPECT_EQ(spec.device, "/run/x.sock");
  EXPECT_EQ(spec.driver_args, "id=3,rsize=11");
  EXPECT_EQ(spec.twin, "m0");
}

TEST(PortSpec, vhost_and_vdev) {
  const PortSpec vhost = parse("vhost:/run/v.sock,queues=2,mac=02:00:00:00:00:01");
  EXPECT_EQ(vhost.driver_args, "queues=2");
  EXPECT_EQ(vhost.mac, (shm::MacAddress{2, 0, 0, 0, 0, 1}));
  EXPECT_FALSE(parse("vdev:net_virtio_user0,mac=02:00:00:00:00:01").mac) << "the driver's";
  const PortSpec spec = parse("vdev:net_tap0,iface=x,twin=tp9");
  EXPECT_EQ(spec.device, "net_tap0");
  EXPECT_EQ(spec.driver_args, "iface=x");
  EXPECT_EQ(spec.twin, "tp9");
  EXPECT_EQ(parse("vdev:net_null0").twin, "") << "only pci has a twin without being asked";
}

TEST(PortSpec, unknown_kind_lists_the_kinds) {
  for (const char* text : {"carrier-pigeon:1", "eth0", "", ":", "PCI:0000:3b:00.1"}) {
    EXPECT_NE(error_of(text).find("kinds are socket:ADDRESS:PORT, pci:ADDRESS"), std::string::npos) << text;
  }
}

TEST(PortSpec, kernel_sockets) {
  const auto spec = parse_port_spec("socket:[::]:3478,mtu=1500", 0);
  ASSERT_TRUE(spec) << spec.error();
  EXPECT_EQ(wire::to_string(spec->listening), "[::]:3478");
  EXPECT_EQ(spec->mtu, 1500);
  EXPECT_EQ(parse_port_spec("socket:127.0.0.1:3478", 0)->mtu, 9000);
  for (const char* text :
       {"socket:", "socket:3478", "socket:127.0.0.1", "socket:127.0.0.1:0", "socket:eth0:3478"}) {
    EXPECT_NE(error_of(text).find("is no address and port"), std::string::npos) << text;
  }
  EXPECT_NE(error_of("socket:127.0.0.1:3478,queues=2").find("takes mtu=BYTES"), std::string::npos);
  EXPECT_NE(parse_port_specs({"socket:127.0.0.1:3478", "xdp:eth0"}).error().find("do not go together"),
            std::string::npos);
  EXPECT_NE(parse_port_specs({"socket:127.0.0.1:3478", "socket:[::1]:3479"}).error().find("one port number"),
            std::string::npos);
}

TEST(PortSpec, bad_devices_are_named) {
  for (const char* text :
       {"pci:eth0", "pci:0000:3b:00.8", "pci:0000:3b:00", "pci:000g:3b:00.1", "pci:", "xdp:", "xdp:a/b",
        "xdp:a-name-too-long-for-it", "memif:relative.sock", "memif:/run/",
        "vhost:", "vdev:", "vdev:net_memif0,id=1", "vdev:net_af_xdp0,iface=x"}) {
    EXPECT_EQ(error_of(text).rfind("port=" + std::string(text) + ": ", 0), 0u) << text;
  }
  EXPECT_NE(error_of("memif:/" + std::string(120, 'x')).find("too long"), std::string::npos);
}

TEST(PortSpec, bad_arguments_are_named) {
  for (const char* text :
       {"xdp:eth0,queues=0", "xdp:eth0,queues=65", "xdp:eth0,mode=fast", "xdp:eth0,twin=x", "xdp:eth0,foo=1",
        "xdp:eth0,mode", "xdp:eth0,=1", "xdp:eth0,mode=", "xdp:eth0,", "pci:3b:00.1,twin=a/b",
        "pci:3b:00.1,mtu=100", "pci:3b:00.1,mtu=1500x", "memif:/x,role=master", "memif:/x,socket=/y",
        "memif:/x,zero-copy=yes", "vhost:/x,iface=/y", "vhost:/x,mac=ff:ff:ff:ff:ff:ff"}) {
    if (std::string_view(text) == "xdp:eth0,") {
      parse(text);  // a trailing comma says nothing
      continue;
    }
    EXPECT_EQ(error_of(text).rfind("port=" + std::string(text) + ": ", 0), 0u) << text;
  }
}

TEST(PortSpecs, none_given_shows_an_example) {
  const auto specs = parse_port_specs({});
  ASSERT_FALSE(specs);
  EXPECT_NE(specs.error().find("--port socket:0.0.0.0:3478"), std::string::npos);
}

TEST(PortSpecs, a_device_is_taken_once) {
  const auto twice = parse_port_specs({"xdp:s0", "xdp:s1", "xdp:s0,mode=generic"});
  ASSERT_FALSE(twice);
  EXPECT_NE(twice.error().find("port=xdp:s0 already"), std::string::npos) << twice.error();
  EXPECT_FALSE(parse_port_specs({"pci:3b:00.1", "pci:0000:3B:00.1"}));
  const auto twins = parse_port_specs({"memif:/a,twin=t", "memif:/b,twin=t"});
  ASSERT_FALSE(twins);
  EXPECT_NE(twins.error().find("twin=t"), std::string::npos);
  // The second port's default twin has the name that the first one was given.
  EXPECT_FALSE(parse_port_specs({"vdev:net_null0,twin=tp1", "pci:3b:00.1"}));
  EXPECT_TRUE(
      parse_port_specs({"vdev:net_null0", "vdev:net_null1", "memif:/a", "memif:/b", "xdp:a", "pci:3b:00.1"}));
}

TEST(PortSpecs, no_more_than_the_region_holds) {
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < shm::kMaxPorts; ++i) texts.push_back("vdev:net_null" + std::to_string(i));
  EXPECT_TRUE(parse_port_specs(texts));
  texts.push_back("vdev:net_null99");
  EXPECT_FALSE(parse_port_specs(texts));
}

}  // namespace
}  // namespace turnpike::dataplane
