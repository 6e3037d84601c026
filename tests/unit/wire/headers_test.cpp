// SPDX-License-Identifier: BSD-3-Clause
// Packed headers laid over bytes that were written by hand, field by field of the RFC diagrams.
#include <gtest/gtest.h>

#include <vector>

#include "common/base/types.hpp"
#include "common/wire/ethernet.hpp"
#include "common/wire/icmp.hpp"
#include "common/wire/ipv4.hpp"
#include "common/wire/ipv6.hpp"
#include "common/wire/udp.hpp"

namespace turnpike::wire {
namespace {

// Copies from an odd address on purpose: alignment 1 is part of the contract.
template <typename Header>
Header overlay(std::vector<std::uint8_t> bytes) {
  EXPECT_EQ(bytes.size(), sizeof(Header));
  bytes.insert(bytes.begin(), 0);
  Header header;
  std::memcpy(&header, bytes.data() + 1, sizeof header);
  return header;
}

TEST(Headers, ethernet_and_vlan) {
  const auto ethernet =
      overlay<EthernetHeader>({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0, 0, 9, 0x81, 0x00});
  EXPECT_EQ(ethernet.destination, kBroadcastMac);
  EXPECT_TRUE(ethernet.destination.is_multicast());
  EXPECT_FALSE(ethernet.source.is_multicast());
  EXPECT_EQ(ethernet.source.bytes[5], 9);
  EXPECT_TRUE(is_vlan_type(ethernet.type.host()));
  EXPECT_TRUE(is_vlan_type(kEtherTypeQinq));
  EXPECT_FALSE(is_vlan_type(kEtherTypeIpv4));
  const auto tag = overlay<VlanTag>({0xE1, 0x23, 0x86, 0xDD});
  EXPECT_EQ(tag.id(), 0x123);
  EXPECT_EQ(tag.type.host(), kEtherTypeIpv6);
}

TEST(Headers, ipv4) {
  const auto header = overlay<Ipv4Header>({0x46, 0xB8, 0x05, 0xDC, 0x12, 0x34, 0x60, 0x03, 0x40, 0x11,
                                           0xAB, 0xCD, 192,  0,    2,    1,    198,  51,   100,  7});
  EXPECT_EQ(header.version(), 4U);
  EXPECT_EQ(header.header_size(), 24U);
  EXPECT_EQ(header.traffic_class, 0xB8);
  EXPECT_EQ(header.total_length.host(), 1500);
  EXPECT_EQ(header.identification.host(), 0x1234);
  EXPECT_TRUE(header.dont_fragment());
  EXPECT_TRUE(header.is_fragment());
  EXPECT_EQ(header.fragment_offset(), 24U);
  EXPECT_EQ(header.ttl, 64);
  EXPECT_EQ(header.protocol, kProtocolUdp);
  EXPECT_EQ(header.checksum.host(), 0xABCD);
  EXPECT_EQ(header.source.host(), 0xC0000201);
  EXPECT_EQ(header.destination.host(), 0xC6336407);
}

TEST(Headers, ipv4_fragment_bits) {
  Ipv4Header header{};
  header.fragment = Be16(Ipv4Header::kDontFragment);
  EXPECT_FALSE(header.is_fragment());
  header.fragment = Be16(Ipv4Header::kMoreFragments);
  EXPECT_TRUE(header.is_fragment());
  header.fragment = Be16(1);
  EXPECT_TRUE(header.is_fragment());
  header.fragment = Be16(0x1FFF);
  EXPECT_EQ(header.fragment_offset(), 65528U);
}

TEST(Headers, ipv6_and_fragment) {
  std::vector<std::uint8_t> bytes = {0x6B, 0x81, 0x23, 0x45, 0x00, 0x10, 44, 63};
  for (std::uint8_t i = 0; i < 32; ++i) bytes.push_back(i);
  const auto header = overlay<Ipv6Header>(bytes);
  EXPECT_EQ(header.version(), 6U);
  EXPECT_EQ(header.traffic_class(), 0xB8);
  EXPECT_EQ(header.flow_label(), 0x12345U);
  EXPECT_EQ(header.payload_length.host(), 16);
  EXPECT_EQ(header.next_header, kNextHeaderFragment);
  EXPECT_EQ(header.hop_limit, 63);
  EXPECT_EQ(header.source[15], 15);
  EXPECT_EQ(header.destination[0], 16);
  EXPECT_EQ(Ipv6Header::first_word(0xB8, 0x12345), header.version_class_flow);

  const auto fragment = overlay<Ipv6FragmentHeader>({17, 0, 0x05, 0xA9, 0xDE, 0xAD, 0xBE, 0xEF});
  EXPECT_EQ(fragment.next_header, 17);
  EXPECT_EQ(fragment.fragment_offset(), 1448U);
  EXPECT_TRUE(fragment.more_fragments());
  EXPECT_EQ(fragment.identification.host(), 0xDEADBEEF);
}

TEST(Headers, udp) {
  const auto header = overlay<UdpHeader>({0x0D, 0x96, 0xC3, 0x50, 0x00, 0x1C, 0xBE, 0xEF});
  EXPECT_EQ(header.source_port.host(), 3478);
  EXPECT_EQ(header.destination_port.host(), 50000);
  EXPECT_EQ(header.length.host(), 28);
  EXPECT_EQ(header.checksum.host(), 0xBEEF);
}

TEST(Headers, icmp_errors) {
  const auto needed = overlay<IcmpHeader>({3, 4, 0, 0, 0xFF, 0xFF, 0x05, 0x78});
  EXPECT_TRUE(is_icmpv4_error(needed.type));
  EXPECT_EQ(needed.code, kIcmpCodeFragmentationNeeded);
  EXPECT_EQ(needed.mtu_v4(), 1400) << "the upper half is unused and must not count";
  const auto too_big = overlay<IcmpHeader>({2, 0, 0, 0, 0x00, 0x01, 0x05, 0x00});
  EXPECT_TRUE(is_icmpv6_error(too_big.type));
  EXPECT_EQ(too_big.mtu_v6(), 0x10500U);
  EXPECT_FALSE(is_icmpv4_error(kIcmpEchoRequest));
  EXPECT_FALSE(is_icmpv4_error(kIcmpEchoReply));
  EXPECT_FALSE(is_icmpv6_error(kIcmpv6EchoRequest));
  EXPECT_FALSE(is_icmpv6_error(kIcmpv6NeighborSolicitation));
}

TEST(BigEndian, value_and_comparison) {
  EXPECT_EQ(Be16(0x1234).host(), 0x1234);
  EXPECT_EQ(Be16(0x1234).raw(), 0x3412);
  EXPECT_EQ(Be32(0x01020304).host(), 0x01020304U);
  EXPECT_EQ(Be64(0x0102030405060708).raw(), 0x0807060504030201ULL);
  EXPECT_NE(Be16(1), Be16(0x100));
  std::uint8_t bytes[7] = {};
  store_be32(bytes + 1, 0xA1B2C3D4);
  store_be16(bytes + 5, 0x5060);
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[1], 0xA1);
  EXPECT_EQ(load_be32(bytes + 1), 0xA1B2C3D4U);
  EXPECT_EQ(load_be16(bytes + 5), 0x5060);
}

}  // namespace
}  // namespace turnpike::wire
