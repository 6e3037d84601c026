// SPDX-License-Identifier: BSD-3-Clause
// Checksums against a byte-wise RFC 1071 that knows nothing of words, folding or byte order.
#include "common/wire/checksum.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace turnpike::wire {
namespace {

// RFC 1071 in the plainest form: big-endian words, carry added back at once.
std::uint16_t naive_sum(Bytes data, std::uint32_t start = 0) {
  std::uint32_t sum = start;
  for (std::size_t i = 0; i < data.size(); i += 2) {
    const std::uint32_t low = i + 1 < data.size() ? data[i + 1] : 0;
    sum += std::uint32_t{data[i]} << 8 | low;
    if (sum > 0xFFFF) sum -= 0xFFFF;
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t naive_checksum(Bytes data) { return static_cast<std::uint16_t>(~naive_sum(data)); }

std::vector<std::uint8_t> random_bytes(std::mt19937& random, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// Pseudo header of RFC 768 or RFC 8200 as bytes.
std::vector<std::uint8_t> pseudo_header(const IpAddress& source, const IpAddress& destination,
                                        std::size_t length) {
  std::vector<std::uint8_t> bytes(source.bytes.begin(), source.bytes.begin() + source.size());
  bytes.insert(bytes.end(), destination.bytes.begin(), destination.bytes.begin() + destination.size());
  const auto high = static_cast<std::uint8_t>(length >> 8);
  const auto low = static_cast<std::uint8_t>(length);
  if (source.is_v4()) {
    bytes.insert(bytes.end(), {0, 17, high, low});
  } else {
    bytes.insert(bytes.end(), {0, 0, high, low, 0, 0, 0, 17});
  }
  return bytes;
}

IpAddress random_address(std::mt19937& random, Family family) {
  const auto bytes = random_bytes(random, 16);
  return family == Family::kIpv4 ? IpAddress::v4_bytes(bytes.data()) : IpAddress::v6_bytes(bytes.data());
}

// A UDP datagram as the wire has it, checksum computed by the naive code.
struct Datagram {
  IpAddress source;
  IpAddress destination;
  std::vector<std::uint8_t> udp;  // header and payload

  std::uint16_t naive() const {
    auto all = pseudo_header(source, destination, udp.size());
    all.insert(all.end(), udp.begin(), udp.end());
    const std::uint16_t value = naive_checksum(all);
    return value == 0 ? 0xFFFF : value;
  }
  void store(std::uint16_t value) { store_be16(udp.data() + 6, value); }
  std::uint16_t stored() const { return load_be16(udp.data() + 6); }
};

Datagram make_datagram(std::mt19937& random, Family family, std::size_t payload_size) {
  Datagram datagram{random_address(random, family), random_address(random, family),
                    random_bytes(random, sizeof(UdpHeader) + payload_size)};
  store_be16(datagram.udp.data() + 4, static_cast<std::uint16_t>(datagram.udp.size()));
  datagram.store(0);
  datagram.store(datagram.naive());
  return datagram;
}

TEST(Checksum, every_length_and_alignment_agrees_with_the_naive_sum) {
  std::mt19937 random(1071);
  for (std::size_t size = 0; size <= 300; ++size) {
    const auto buffer = random_bytes(random, size + 8);
    for (std::size_t shift = 0; shift < 8; ++shift) {
      const Bytes data = Bytes(buffer).subspan(shift, size);
      ASSERT_EQ(sum(data).checksum().host(), naive_checksum(data)) << "size " << size << " shift " << shift;
    }
  }
}

TEST(Checksum, carries_are_not_lost_in_long_spans_of_ones) {
  for (const std::size_t size : {1499UL, 1500UL, 65534UL, 65535UL, 1UL << 20}) {
    const std::vector<std::uint8_t> ones(size, 0xFF);
    EXPECT_EQ(sum(ones).checksum().host(), naive_checksum(ones)) << size;
  }
}

TEST(Checksum, sums_of_even_pieces_add_up) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    const auto data = random_bytes(random, 2 + random() % 200);
    const std::size_t cut = (random() % (data.size() + 1)) & ~std::size_t{1};
    ChecksumSum pieces = sum(Bytes(data).first(cut));
    pieces.add(sum(Bytes(data).subspan(cut)));
    ASSERT_EQ(pieces.checksum().host(), naive_checksum(data));
  }
}

TEST(Checksum, fold_never_turns_a_non_zero_sum_into_zero) {
  ChecksumSum twice;
  twice.add(Be16(0x8000)).add(Be16(0x7FFF));
  EXPECT_EQ(twice.fold(), 0xFFFF);
  EXPECT_EQ(ChecksumSum().fold(), 0);
}

// The header of the example that many texts use: 192.168.0.1 to 192.168.0.199, UDP, checksum 0xB861.
TEST(Checksum, ipv4_header) {
  std::vector<std::uint8_t> header = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                      0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  EXPECT_EQ(ipv4_header_checksum(Bytes(header)).host(), 0xB861);
  store_be16(header.data() + 10, 0xB861);
  EXPECT_EQ(ipv4_header_checksum(Bytes(header)).host(), 0);
  Ipv4Header typed;
  std::memcpy(&typed, header.data(), sizeof typed);
  EXPECT_EQ(ipv4_header_checksum(typed).host(), 0);
  header[8] ^= 1;
  EXPECT_NE(ipv4_header_checksum(Bytes(header)).host(), 0);
}

class UdpChecksum : public ::testing::TestWithParam<Family> {};

TEST_P(UdpChecksum, pseudo_header_and_datagram_agree_with_the_naive_sum) {
  std::mt19937 random(768);
  for (std::size_t payload = 0; payload <= 130; ++payload) {
    const Datagram datagram = make_datagram(random, GetParam(), payload);
    auto total = udp_pseudo_sum(datagram.source, datagram.destination,
                                static_cast<std::uint16_t>(datagram.udp.size()));
    total.add(Bytes(datagram.udp));
    ASSERT_EQ(total.fold(), 0xFFFF) << "a datagram with its checksum in it sums up to all ones";
  }
}

TEST_P(UdpChecksum, headers_and_addresses_give_the_same_pseudo_sum) {
  std::mt19937 random(8200);
  const IpAddress source = random_address(random, GetParam());
  const IpAddress destination = random_address(random, GetParam());
  const std::uint16_t from_addresses = udp_pseudo_sum(source, destination, 1234).fold();
  if (GetParam() == Family::kIpv4) {
    Ipv4Header header{};
    std::memcpy(&header.source, source.bytes.data(), 4);
    std::memcpy(&header.destination, destination.bytes.data(), 4);
    EXPECT_EQ(udp_pseudo_sum(header, 1234).fold(), from_addresses);
  } else {
    Ipv6Header header{};
    header.source = source.bytes;
    header.destination = destination.bytes;
    EXPECT_EQ(udp_pseudo_sum(header, 1234).fold(), from_addresses);
  }
}

// What relaying does: other addresses of either family, other ports, a 4-byte channel header gone or added.
TEST_P(UdpChecksum, carry_over_equals_recomputation) {
  std::mt19937 random(1624);
  for (int round = 0; round < 4000; ++round) {
    const std::size_t payload = random() % 64;
    const Datagram before = make_datagram(random, GetParam(), 4 + payload);
    Datagram after = make_datagram(random, random() % 2 == 0 ? Family::kIpv4 : Family::kIpv6, payload);
    std::copy(before.udp.begin() + 12, before.udp.end(), after.udp.begin() + 8);
    after.store(0);
    after.store(after.naive());

    const auto part = [](const Datagram& datagram, std::size_t header_bytes) {
      const auto size = static_cast<std::uint16_t>(datagram.udp.size());
      ChecksumSum total = udp_pseudo_sum(datagram.source, datagram.destination, size);
      total.add(Bytes(datagram.udp).first(4)).add(Be16(size));
      return total.add(Bytes(datagram.udp).subspan(8, header_bytes));
    };
    const Be16 shrunk =
        ChecksumUpdate(Be16(before.stored())).remove(part(before, 4)).add(part(after, 0)).finish_udp();
    ASSERT_EQ(shrunk.host(), after.stored()) << "round " << round;
    const Be16 grown =
        ChecksumUpdate(Be16(after.stored())).remove(part(after, 0)).add(part(before, 4)).finish_udp();
    ASSERT_EQ(grown.host(), before.stored()) << "round " << round;
  }
}

TEST_P(UdpChecksum, carry_over_keeps_damage_visible) {
  std::mt19937 random(3);
  Datagram datagram = make_datagram(random, GetParam(), 40);
  const Datagram healthy = datagram;
  datagram.udp[20] ^= 0x10;
  const auto size = static_cast<std::uint16_t>(datagram.udp.size());
  const IpAddress other = random_address(random, GetParam());
  const Be16 carried = ChecksumUpdate(Be16(datagram.stored()))
                           .remove(ChecksumSum().add(datagram.source))
                           .add(ChecksumSum().add(other))
                           .finish_udp();
  ChecksumSum total = udp_pseudo_sum(other, datagram.destination, size);
  datagram.store(carried.host());
  total.add(Bytes(datagram.udp));
  EXPECT_NE(total.fold(), 0xFFFF);
  datagram.udp[20] = healthy.udp[20];
  EXPECT_EQ(udp_pseudo_sum(other, datagram.destination, size).add(Bytes(datagram.udp)).fold(), 0xFFFF);
}

INSTANTIATE_TEST_SUITE_P(Families, UdpChecksum, ::testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& info) { return info.param == Family::kIpv4 ? "v4" : "v6"; });

// The payload is chosen so that the sum is all ones: the field must say 0xFFFF, since 0 means "no checksum".
TEST(Checksum, udp_checksum_is_never_zero) {
  const IpAddress source = IpAddress::v4(0x0A000001);
  const IpAddress destination = IpAddress::v4(0x0A000002);
  std::vector<std::uint8_t> udp = {0x30, 0x39, 0x0D, 0x96, 0, 10, 0, 0, 0, 0};
  const std::uint16_t rest = udp_pseudo_sum(source, destination, 10).add(Bytes(udp)).checksum().host();
  store_be16(udp.data() + 8, rest);
  ChecksumSum total = udp_pseudo_sum(source, destination, 10);
  total.add(Bytes(udp));
  EXPECT_EQ(total.checksum().host(), 0);
  EXPECT_EQ(total.udp_checksum().host(), 0xFFFF);

  const ChecksumSum tail = sum(Bytes(udp).subspan(8));
  const Be16 carried = ChecksumUpdate(Be16(0xFFFF)).remove(tail).add(tail).finish_udp();
  EXPECT_EQ(carried.host(), 0xFFFF);
}

// RFC 1624 section 4: 0xDD2F, a word 0x5555 becomes 0x3285, and the checksum must come out as 0x0000.
TEST(Checksum, rfc1624_example) {
  const Be16 updated = ChecksumUpdate(Be16(0xDD2F))
                           .remove(ChecksumSum().add(Be16(0x5555)))
                           .add(ChecksumSum().add(Be16(0x3285)))
                           .finish();
  EXPECT_EQ(updated.host(), 0x0000);
}

// A sender may use the other zero, 0xFFFF; what comes out is the zero of a computation from scratch.
TEST(Checksum, carry_over_ends_in_the_usual_zero) {
  const Be16 updated =
      ChecksumUpdate(Be16(0xFFFF)).remove(ChecksumSum().add(Be16(0xFFFF))).add(ChecksumSum()).finish();
  EXPECT_EQ(updated.host(), 0x0000);
}

TEST(Checksum, header_carry_over_equals_recomputation) {
  std::mt19937 random(4);
  for (int round = 0; round < 5000; ++round) {
    auto header = random_bytes(random, 20);
    store_be16(header.data() + 10, 0);
    const Be16 before = ipv4_header_checksum(Bytes(header));
    const ChecksumSum old_word = sum(Bytes(header).subspan(8, 2));
    store_be16(header.data() + 8, static_cast<std::uint16_t>(random()));
    const ChecksumSum new_word = sum(Bytes(header).subspan(8, 2));
    const Be16 carried = ChecksumUpdate(before).remove(old_word).add(new_word).finish();
    ASSERT_EQ(carried.host(), ipv4_header_checksum(Bytes(header)).host());
  }
}

}  // namespace
}  // namespace turnpike::wire
