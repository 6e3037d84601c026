// SPDX-License-Identifier: BSD-3-Clause
// The XDP program's verdict on one packet at a time, by BPF_PROG_TEST_RUN: taken (redirected) or left to the
// kernel.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "common/wire/endpoint.hpp"
#include "dataplane/port/split_map.h"

namespace turnpike::dataplane {
namespace {

using Packet = std::vector<std::uint8_t>;
using wire::IpAddress;

constexpr int kPass = 2;
constexpr int kRedirect = 4;
constexpr std::uint16_t kListener = 3478;
constexpr std::uint16_t kRelay = 50000;  // in 49152..65535

const IpAddress kServer4 = *wire::parse_address("192.0.2.1");
const IpAddress kServer6 = *wire::parse_address("2001:db8::1");
const IpAddress kRemote4 = *wire::parse_address("198.51.100.7");
const IpAddress kRemote6 = *wire::parse_address("2001:db8:1::7");

void append(Packet& packet, std::initializer_list<unsigned> bytes) {
  for (const unsigned byte : bytes) packet.push_back(static_cast<std::uint8_t>(byte));
}
void append16(Packet& packet, unsigned value) { append(packet, {value >> 8, value & 0xFF}); }
void append(Packet& packet, const IpAddress& address) {
  packet.insert(packet.end(), address.bytes.begin(),
                address.bytes.begin() + static_cast<long>(address.size()));
}
void append(Packet& packet, const Packet& more) { packet.insert(packet.end(), more.begin(), more.end()); }

Packet udp(unsigned source, unsigned destination, const Packet& payload = {0x40, 0x00, 0, 0}) {
  Packet packet;
  append16(packet, source);
  append16(packet, destination);
  append16(packet, 8 + static_cast<unsigned>(payload.size()));
  append16(packet, 0xFFFF);
  append(packet, payload);
  return packet;
}

struct Ipv4 {
  unsigned protocol = 17;
  unsigned fragment = 0x4000;  // flags and offset; DF
  unsigned option_words = 0;
};

Packet ipv4(const IpAddress& source, const IpAddress& destination, const Packet& payload, Ipv4 header = {}) {
  Packet packet;
  append(packet, {0x45 + header.option_words, 0});
  append16(packet, static_cast<unsigned>(20 + 4 * header.option_words + payload.size()));
  append16(packet, 1);
  append16(packet, header.fragment);
  append(packet, {64, header.protocol, 0, 0});
  append(packet, source);
  append(packet, destination);
  packet.resize(20 + 4 * header.option_words, 1);
  append(packet, payload);
  return packet;
}

Packet ipv6(const IpAddress& source, const IpAddress& destination, const Packet& payload,
            unsigned next = 17) {
  Packet packet;
  append(packet, {0x60, 0, 0, 0});
  append16(packet, static_cast<unsigned>(payload.size()));
  append(packet, {next, 64});
  append(packet, source);
  append(packet, destination);
  append(packet, payload);
  return packet;
}

Packet icmp(unsigned type, const Packet& quoted) {
  Packet packet;
  append(packet, {type, 1, 0, 0, 0, 0, 0, 0});
  append(packet, quoted);
  return packet;
}

Packet ethernet(const Packet& payload, std::initializer_list<unsigned> tags = {}) {
  Packet packet(12, 2);
  for (const unsigned tag : tags) {
    append16(packet, tag);
    append16(packet, 100);
  }
  append16(packet, (payload.at(0) >> 4) == 4 ? 0x0800 : 0x86DD);
  append(packet, payload);
  return packet;
}

class SplitTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    object_ = bpf_object__open_file(SPLIT_OBJECT, nullptr);
    if (object_ == nullptr || bpf_object__load(object_) != 0) return;
    program_ = bpf_program__fd(bpf_object__find_program_by_name(object_, "xsk_def_prog"));
    // A socket in queue 0, or nothing could be redirected.
    socket_ = socket(AF_XDP, SOCK_RAW, 0);
    const int entries = 64;
    const std::uint32_t queue = 0;
    if (setsockopt(socket_, SOL_XDP, XDP_RX_RING, &entries, sizeof entries) != 0 ||
        bpf_map_update_elem(map("xsks_map"), &queue, &socket_, BPF_ANY) != 0) {
      program_ = -1;
    }
  }
  static void TearDownTestSuite() {
    if (socket_ >= 0) close(socket_);
    bpf_object__close(object_);
  }
  void SetUp() override {
    if (program_ < 0) GTEST_SKIP() << "this user may not load XDP programs";
    serve(kServer4, {kListener, 49152, 65535, 0});
    serve(kServer6, {kListener, 49152, 65535, 0});
  }

  static int map(const char* name) { return bpf_object__find_map_fd_by_name(object_, name); }
  static void serve(const IpAddress& address, turnpike_local_ports ports) {
    turnpike_local_key key{};
    std::memcpy(key.address, address.bytes.data(), sizeof key.address);
    key.family = static_cast<std::uint32_t>(address.family);
    ASSERT_EQ(bpf_map_update_elem(map("turnpike_local"), &key, &ports, BPF_ANY), 0);
  }
  static int verdict(Packet packet) {
    // XDP test runs want a whole Ethernet header and no less.
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    EXPECT_EQ(bpf_prog_test_run_opts(program_, &options), 0) << std::strerror(errno);
    return static_cast<int>(options.retval);
  }

  static inline bpf_object* object_ = nullptr;
  static inline int program_ = -1;
  static inline int socket_ = -1;
};

TEST_F(SplitTest, udp_to_the_listener_and_the_relay_range_is_taken) {
  for (const unsigned port : {3478u, 49152u, 50000u, 65535u}) {
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1234, port)))), kRedirect) << port;
    EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, udp(1234, port)))), kRedirect) << port;
  }
}

TEST_F(SplitTest, other_ports_and_addresses_are_the_kernels) {
  for (const unsigned port : {0u, 53u, 3477u, 3479u, 49151u}) {
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(kListener, port)))), kPass) << port;
    EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, udp(kListener, port)))), kPass) << port;
  }
  EXPECT_EQ(verdict(ethernet(ipv4(kServer4, kRemote4, udp(kListener, kListener)))), kPass);
  EXPECT_EQ(verdict(ethernet(ipv6(kServer6, kRemote6, udp(kListener, kListener)))), kPass);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kListener), {6}))), kPass) << "TCP";
  EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, udp(1, kListener), 6))), kPass);
}

TEST_F(SplitTest, each_address_has_its_own_part) {
  const IpAddress listening = *wire::parse_address("192.0.2.2");
  const IpAddress relaying = *wire::parse_address("192.0.2.3");
  serve(listening, {kListener, 0, 0, 0});
  serve(relaying, {0, 60000, 60010, 0});
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, listening, udp(1, kListener)))), kRedirect);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, listening, udp(1, 60000)))), kPass);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, listening, udp(1, 0)))), kPass)
      << "no relay range is not range 0";
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, relaying, udp(1, kListener)))), kPass);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, relaying, udp(1, 0)))), kPass) << "no listener is not port 0";
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, relaying, udp(1, 60010)))), kRedirect);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, relaying, udp(1, 60011)))), kPass);
}

TEST_F(SplitTest, dtls_to_the_listener_is_the_kernels) {
  for (const unsigned first : {20u, 22u, 63u}) {
    const Packet payload{static_cast<std::uint8_t>(first), 0xFE, 0xFD};
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kListener, payload)))), kPass) << first;
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay, payload)))), kRedirect)
        << "a peer may send what it likes";
  }
  for (const unsigned first : {0u, 1u, 19u, 64u, 127u, 200u}) {
    const Packet payload{static_cast<std::uint8_t>(first)};
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kListener, payload)))), kRedirect) << first;
  }
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kListener, {})))), kRedirect)
      << "empty datagram";
}

TEST_F(SplitTest, options_are_skipped_fragments_are_not_ours) {
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay), {17, 0x4000, 1}))), kRedirect);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay), {17, 0, 10}))), kRedirect);
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay), {17, 0x2000}))), kPass)
      << "first of several";
  EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay), {17, 0x0001}))), kPass) << "last";
  Packet fragment{17, 0, 0, 1, 0, 0, 0, 1};
  append(fragment, udp(1, kRelay));
  EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, fragment, 44))), kPass);
  Packet hop_by_hop{17, 0, 1, 4, 0, 0, 0, 0};
  append(hop_by_hop, udp(1, kRelay));
  EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, hop_by_hop, 0))), kPass);
}

TEST_F(SplitTest, up_to_two_vlan_tags) {
  const Packet inside = ipv4(kRemote4, kServer4, udp(1, kRelay));
  EXPECT_EQ(verdict(ethernet(inside, {0x8100})), kRedirect);
  EXPECT_EQ(verdict(ethernet(inside, {0x88A8, 0x8100})), kRedirect);
  EXPECT_EQ(verdict(ethernet(inside, {0x8100, 0x8100, 0x8100})), kPass);
  EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, udp(1, kRelay)), {0x8100})), kRedirect);
}

TEST_F(SplitTest, icmp_errors_about_relayed_packets_are_taken) {
  const Packet quoted4 = ipv4(kServer4, kRemote4, udp(kRelay, 9));
  for (const unsigned type : {3u, 11u}) {
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, icmp(type, quoted4), {1}))), kRedirect) << type;
  }
  for (const unsigned type : {0u, 4u, 5u, 8u, 12u}) {
    EXPECT_EQ(verdict(ethernet(ipv4(kRemote4, kServer4, icmp(type, quoted4), {1}))), kPass) << type;
  }
  const Packet quoted6 = ipv6(kServer6, kRemote6, udp(kRelay, 9));
  for (const unsigned type : {1u, 2u, 3u}) {
    EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, icmp(type, quoted6), 58))), kRedirect) << type;
  }
  for (const unsigned type : {0u, 4u, 128u, 135u, 136u}) {
    EXPECT_EQ(verdict(ethernet(ipv6(kRemote6, kServer6, icmp(type, quoted6), 58))), kPass) << type;
  }
}

TEST_F(SplitTest, icmp_errors_about_the_kernels_packets_are_the_kernels) {
  const auto about4 = [](const Packet& quoted) {
    return ethernet(ipv4(kRemote4, kServer4, icmp(3, quoted), {1}));
  };
  const auto about6 = [](const Packet& quoted) {
    return ethernet(ipv6(kRemote6, kServer6, icmp(1, quoted), 58));
  };
  EXPECT_EQ(verdict(about4(ipv4(kServer4, kRemote4, udp(5353, kRelay)))), kPass)
      << "the remote's port is in the range";
  EXPECT_EQ(verdict(about4(ipv4(kServer4, kRemote4, udp(kListener, 9)))), kPass) << "from the listener";
  EXPECT_EQ(verdict(about4(ipv4(kRemote4, kServer4, udp(kRelay, 9)))), kPass) << "not from our address";
  EXPECT_EQ(verdict(about4(ipv4(kServer4, kRemote4, udp(kRelay, 9), {6}))), kPass) << "TCP";
  EXPECT_EQ(verdict(about4(ipv4(kServer4, kRemote4, udp(kRelay, 9), {17, 0x0010}))), kPass)
      << "a later fragment";
  EXPECT_EQ(verdict(about4(ipv4(kServer4, kRemote4, udp(kRelay, 9), {17, 0x2000}))), kRedirect)
      << "the first one";
  EXPECT_EQ(verdict(about4(ipv4(kServer4, kRemote4, udp(kRelay, 9), {17, 0, 3}))), kRedirect)
      << "with options";
  EXPECT_EQ(verdict(about6(ipv6(kServer6, kRemote6, udp(5353, kRelay)))), kPass);
  EXPECT_EQ(verdict(about6(ipv6(kServer6, kRemote6, udp(kRelay, 9), 6))), kPass);
  EXPECT_EQ(verdict(about6(ipv4(kServer4, kRemote4, udp(kRelay, 9)))), kPass) << "IPv4 in ICMPv6";
}

// Every packet cut at every length: the program passes what it cannot read, and the kernel's verifier has
// proved that it does not read behind the end.
TEST_F(SplitTest, truncated_packets_are_the_kernels) {
  const Packet whole[] = {
      ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay, {})), {0x88A8, 0x8100}),
      ethernet(ipv6(kRemote6, kServer6, udp(1, kRelay, {}))),
      ethernet(ipv4(kRemote4, kServer4, icmp(3, ipv4(kServer4, kRemote4, udp(kRelay, 9, {}))), {1})),
      ethernet(ipv6(kRemote6, kServer6, icmp(1, ipv6(kServer6, kRemote6, udp(kRelay, 9, {}))), 58))};
  for (const Packet& packet : whole) {
    EXPECT_EQ(verdict(packet), kRedirect);
    for (std::size_t size = 14; size < packet.size(); ++size) {
      EXPECT_EQ(verdict(Packet(packet.begin(), packet.begin() + static_cast<long>(size))), kPass) << size;
    }
  }
  Packet short_header = ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay)));
  short_header[14] = 0x44;
  EXPECT_EQ(verdict(short_header), kPass);
  Packet other_version = ethernet(ipv4(kRemote4, kServer4, udp(1, kRelay)));
  other_version[14] = 0x65;
  EXPECT_EQ(verdict(other_version), kPass);
}

TEST_F(SplitTest, arp_is_the_kernels) {
  Packet arp(12, 0xFF);
  append16(arp, 0x0806);
  arp.resize(60);
  EXPECT_EQ(verdict(arp), kPass);
}

}  // namespace
}  // namespace turnpike::dataplane
