// SPDX-License-Identifier: BSD-3-Clause
// Every typed decoder: the value that it must read, and the sizes that it must refuse.
#include "common/stun/attributes.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/support/stun_edit.hpp"
#include "tests/support/vectors.hpp"

namespace turnpike::stun {
namespace {

using test::endpoint;
using test::from_hex;

constexpr TransactionId kRfc5769Id = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

TEST(StunAttributes, C023_xor_address_coding) {
  const auto v4 = decode_xor_address(from_hex("0001a147 e112a643"), kRfc5769Id);
  ASSERT_TRUE(v4);
  EXPECT_EQ(*v4, endpoint("192.0.2.1:32853"));
  const auto v6 = decode_xor_address(from_hex("0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"), kRfc5769Id);
  ASSERT_TRUE(v6);
  EXPECT_EQ(*v6, endpoint("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST(StunAttributes, C023_xor_is_its_own_inverse) {
  std::mt19937 random(14);
  for (int round = 0; round < 1000; ++round) {
    TransactionId id;
    for (auto& byte : id) byte = static_cast<std::uint8_t>(random());
    std::array<std::uint8_t, 16> bytes;
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    const IpAddress address =
        round % 2 == 0 ? IpAddress::v4_bytes(bytes.data()) : IpAddress::v6_bytes(bytes.data());
    const Endpoint plain{address, 0, static_cast<std::uint16_t>(random())};
    std::vector<std::uint8_t> value(address_value_size(address.family));
    encode_address(value.data(), xor_endpoint(plain, id));
    ASSERT_EQ(decode_xor_address(value, id), plain);
  }
}

TEST(StunAttributes, C024_address_validity) {
  auto v4 = from_hex("0001 0d96 c0000201");
  auto v6 = from_hex("0002 0d96 20010db8 00000000 00000000 00000001");
  EXPECT_EQ(decode_address(v4), endpoint("192.0.2.1:3478"));
  EXPECT_EQ(decode_address(v6), endpoint("[2001:db8::1]:3478"));
  v4[0] = 0xFF;  // ignored on receipt
  EXPECT_EQ(decode_address(v4), endpoint("192.0.2.1:3478"));

  for (unsigned family = 0; family < 256; ++family) {
    v4[1] = v6[1] = static_cast<std::uint8_t>(family);
    EXPECT_EQ(decode_address(v4).has_value(), family == 1) << family;
    EXPECT_EQ(decode_address(v6).has_value(), family == 2) << family;
  }
  for (std::size_t size = 0; size <= 24; ++size) {
    std::vector<std::uint8_t> value(size);
    for (const std::uint8_t family : {1, 2}) {
      if (size > 1) value[1] = family;
      EXPECT_EQ(decode_address(value).has_value(), size == (family == 1 ? 8U : 20U)) << size;
      EXPECT_EQ(decode_xor_address(value, kRfc5769Id).has_value(), size == (family == 1 ? 8U : 20U)) << size;
    }
  }
}

TEST(StunAttributes, four_byte_values) {
  EXPECT_EQ(decode_lifetime(from_hex("00000258")), 600U);
  EXPECT_EQ(decode_lifetime(from_hex("ffffffff")), 0xFFFFFFFFU);
  EXPECT_EQ(decode_channel_number(from_hex("40000000")), 0x4000);
  EXPECT_EQ(decode_channel_number(from_hex("4001ffff")), 0x4001) << "the last 16 bits are ignored";
  EXPECT_EQ(decode_requested_transport(from_hex("11ffffff")), kTransportUdp) << "the RFFU bits are ignored";
  EXPECT_EQ(decode_requested_transport(from_hex("06000000")), kTransportTcp);
  EXPECT_EQ(decode_address_family(from_hex("02000000")), 2);
  EXPECT_EQ(decode_address_family(from_hex("07000000")), 7)
      << "an unknown family is 440, not a malformed value";
  for (const std::size_t size : {0, 1, 2, 3, 5, 8}) {
    const std::vector<std::uint8_t> value(size);
    EXPECT_FALSE(decode_lifetime(value)) << size;
    EXPECT_FALSE(decode_channel_number(value)) << size;
    EXPECT_FALSE(decode_requested_transport(value)) << size;
    EXPECT_FALSE(decode_address_family(value)) << size;
    EXPECT_FALSE(decode_password_algorithm(value)) << size;
  }
}

TEST(StunAttributes, even_port) {
  EXPECT_EQ(decode_even_port(from_hex("80")), true);
  EXPECT_EQ(decode_even_port(from_hex("00")), false);
  EXPECT_EQ(decode_even_port(from_hex("7f")), false) << "only the top bit counts";
  EXPECT_EQ(decode_even_port(from_hex("80000000")), true) << "clients that send four bytes exist";
  EXPECT_FALSE(decode_even_port({}));
}

TEST(StunAttributes, tokens_and_hashes_have_one_size) {
  for (std::size_t size = 0; size <= 40; ++size) {
    std::vector<std::uint8_t> value(size);
    for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<std::uint8_t>(i + 1);
    ASSERT_EQ(decode_reservation_token(value).has_value(), size == 8);
    ASSERT_EQ(decode_userhash(value).has_value(), size == 32);
    if (size == 8) {
      EXPECT_EQ(decode_reservation_token(value)->back(), 8);
    } else if (size == 32) {
      EXPECT_EQ(decode_userhash(value)->back(), 32);
    }
  }
}

TEST(StunAttributes, C025_long_strings_parsed) {
  const std::vector<std::uint8_t> longest(763, 'x');
  ASSERT_TRUE(decode_text(longest));
  EXPECT_EQ(decode_text(longest)->size(), 763U);
  EXPECT_FALSE(decode_text(std::vector<std::uint8_t>(764, 'x')));
  EXPECT_EQ(decode_text({}), "");
}

TEST(StunAttributes, error_code) {
  const auto bytes = from_hex("00000414 556e6b");
  const auto error = decode_error(bytes);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, 420);
  EXPECT_EQ(error->phrase, "Unk");
  EXPECT_EQ(decode_error(from_hex("fffffc01"))->code, 401) << "21 reserved bits are ignored";
  EXPECT_EQ(decode_error(from_hex("00000663"))->code, 699);
  EXPECT_FALSE(decode_error(from_hex("000004")));
  EXPECT_FALSE(decode_error(from_hex("00000201"))) << "class 2";
  EXPECT_FALSE(decode_error(from_hex("00000701"))) << "class 7";
  EXPECT_FALSE(decode_error(from_hex("00000464"))) << "number 100";
  const auto address_error = decode_address_error(from_hex("02000428"));
  ASSERT_TRUE(address_error);
  EXPECT_EQ(address_error->family, 2);
  EXPECT_EQ(address_error->error.code, 440);
}

TEST(StunAttributes, icmp) {
  const IcmpValue needed{3, 4, 1400};
  const auto value = encode_icmp(needed);
  EXPECT_EQ(std::vector<std::uint8_t>(value.begin(), value.end()), from_hex("00000304 00000578"));
  EXPECT_EQ(decode_icmp(value), needed);
  EXPECT_FALSE(decode_icmp(Bytes(value).first(7)));
}

TEST(StunAttributes, password_algorithms) {
  EXPECT_EQ(decode_password_algorithm(from_hex("00020000")), PasswordAlgorithm::kSha256);
  EXPECT_FALSE(decode_password_algorithm(from_hex("00020004"))) << "parameters announced, none there";
  EXPECT_FALSE(decode_password_algorithm(from_hex("00020004 01020304")));

  std::vector<std::pair<PasswordAlgorithm, std::size_t>> entries;
  const auto collect = [&](PasswordAlgorithm algorithm, Bytes parameters) {
    entries.emplace_back(algorithm, parameters.size());
  };
  EXPECT_TRUE(decode_password_algorithms(from_hex("00020000 00010000"), collect));
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].first, PasswordAlgorithm::kSha256);
  EXPECT_EQ(entries[1].first, PasswordAlgorithm::kMd5);

  entries.clear();
  EXPECT_TRUE(decode_password_algorithms(from_hex("00070005 0102030405000000 00010000"), collect));
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].second, 5U);
  EXPECT_TRUE(decode_password_algorithms({}, collect));
  for (const char* text :
       {"00", "000200", "0002000000", "00020001", "0002ffff 00010000", "00070005 0102030405"}) {
    EXPECT_FALSE(decode_password_algorithms(from_hex(text), collect)) << text;
  }
}

TEST(StunAttributes, unknown_attributes) {
  std::vector<std::uint16_t> codes;
  const auto collect = [&](std::uint16_t code) { codes.push_back(code); };
  EXPECT_TRUE(decode_unknown_attributes(from_hex("001a 7ff1 0023"), collect));
  EXPECT_EQ(codes, (std::vector<std::uint16_t>{0x001A, 0x7FF1, 0x0023}));
  EXPECT_FALSE(decode_unknown_attributes(from_hex("001a 7f"), collect));
}

}  // namespace
}  // namespace turnpike::stun
