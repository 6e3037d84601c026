// SPDX-License-Identifier: BSD-3-Clause
// The table of stun.def against protocol numbers written out by hand.
#include "common/stun/types.hpp"

#include <gtest/gtest.h>

#include <set>

namespace turnpike::stun {
namespace {

using enum MessageClass;

TEST(StunTypes, C012_type_bit_layout) {
  const struct {
    std::uint16_t type;
    Method method;
    MessageClass message_class;
  } rows[] = {
      {0x0001, Method::kBinding, kRequest},
      {0x0011, Method::kBinding, kIndication},
      {0x0101, Method::kBinding, kSuccess},
      {0x0111, Method::kBinding, kError},
      {0x0003, Method::kAllocate, kRequest},
      {0x0103, Method::kAllocate, kSuccess},
      {0x0113, Method::kAllocate, kError},
      {0x0004, Method::kRefresh, kRequest},
      {0x0104, Method::kRefresh, kSuccess},
      {0x0114, Method::kRefresh, kError},
      {0x0016, Method::kSend, kIndication},
      {0x0017, Method::kData, kIndication},
      {0x0008, Method::kCreatePermission, kRequest},
      {0x0108, Method::kCreatePermission, kSuccess},
      {0x0118, Method::kCreatePermission, kError},
      {0x0009, Method::kChannelBind, kRequest},
      {0x0109, Method::kChannelBind, kSuccess},
      {0x0119, Method::kChannelBind, kError},
      {0x000A, Method::kConnect, kRequest},
      {0x010A, Method::kConnect, kSuccess},
      {0x011A, Method::kConnect, kError},
      {0x000B, Method::kConnectionBind, kRequest},
      {0x010B, Method::kConnectionBind, kSuccess},
      {0x011B, Method::kConnectionBind, kError},
      {0x001C, Method::kConnectionAttempt, kIndication},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(encode_type(row.method, row.message_class), row.type);
    EXPECT_EQ(decode_method(row.type), row.method);
    EXPECT_EQ(decode_class(row.type), row.message_class);
    EXPECT_TRUE(is_defined(row.method, row.message_class));
  }
}

TEST(StunTypes, C012_every_14_bit_type_round_trips) {
  std::set<std::pair<unsigned, unsigned>> pairs;
  for (unsigned type = 0; type < 0x4000; ++type) {
    const auto value = static_cast<std::uint16_t>(type);
    ASSERT_EQ(encode_type(decode_method(value), decode_class(value)), value);
    pairs.emplace(static_cast<unsigned>(decode_method(value)), static_cast<unsigned>(decode_class(value)));
  }
  EXPECT_EQ(pairs.size(), 0x4000U);
}

// Exactly these seven pairs are taken from a client; all others are dropped.
TEST(StunTypes, C013_C014_only_requests_and_indications_of_clients_are_accepted) {
  std::set<unsigned> accepted;
  for (unsigned type = 0; type < 0x4000; ++type) {
    const auto value = static_cast<std::uint16_t>(type);
    if (is_accepted(decode_method(value), decode_class(value))) accepted.insert(type);
  }
  EXPECT_EQ(accepted, (std::set<unsigned>{0x0001, 0x0003, 0x0004, 0x0008, 0x0009, 0x0011, 0x0016}));
}

TEST(StunTypes, X15_X16_undefined_pairs) {
  EXPECT_FALSE(is_defined(static_cast<Method>(0x00D), kRequest));
  EXPECT_FALSE(is_defined(static_cast<Method>(0x002), kRequest));
  EXPECT_FALSE(is_defined(Method::kAllocate, kIndication));
  EXPECT_FALSE(is_accepted(Method::kAllocate, kIndication));
  EXPECT_FALSE(is_accepted(Method::kData, kIndication));
  EXPECT_FALSE(is_defined(Method::kSend, kRequest));
}

TEST(StunTypes, reserved_and_unserved_required_attributes_are_unknown) {
  const std::set<std::uint16_t> known = {0x01, 0x06, 0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x12,
                                         0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A,
                                         0x1C, 0x1D, 0x1E, 0x20, 0x22, 0x24, 0x25};
  for (unsigned code = 0; code < 0x8000; ++code) {
    EXPECT_EQ(is_known(static_cast<std::uint16_t>(code)), known.contains(static_cast<std::uint16_t>(code)))
        << code;
  }
  EXPECT_TRUE(is_comprehension_required(0x7FFF));
  EXPECT_FALSE(is_comprehension_required(0x8000));
}

TEST(StunTypes, names_and_phrases) {
  EXPECT_EQ(name(Method::kCreatePermission), "CreatePermission");
  EXPECT_EQ(name(static_cast<Method>(0x002)), "");
  EXPECT_EQ(name(Attribute::kXorPeerAddress), "XOR-PEER-ADDRESS");
  EXPECT_EQ(name(static_cast<Attribute>(0x7FF1)), "");
  EXPECT_EQ(reason_phrase(ErrorCode::kUnauthenticated), "Unauthenticated");
  EXPECT_EQ(reason_phrase(ErrorCode::kInsufficientCapacity), "Insufficient Capacity");
  EXPECT_EQ(reason_phrase(static_cast<ErrorCode>(404)), "");
}

TEST(StunTypes, padded_size) {
  EXPECT_EQ(padded_size(0), 0U);
  EXPECT_EQ(padded_size(1), 4U);
  EXPECT_EQ(padded_size(4), 4U);
  EXPECT_EQ(padded_size(65535), 65536U) << "no wrap at 16 bits";
}

}  // namespace
}  // namespace turnpike::stun
