// SPDX-License-Identifier: BSD-3-Clause
// The flow table against std::unordered_map, filled to the last key that it was made for.
#include "dataplane/flow_table.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

#include "dataplane/flow_keys.hpp"

namespace turnpike::dataplane {
namespace {

FlowKey key_of(std::uint32_t number) {
  const wire::Endpoint remote{wire::IpAddress::v4(0x0A000000 + number / 4), 0,
                              static_cast<std::uint16_t>(1000 + number % 4)};
  return make_key(remote, {static_cast<std::uint16_t>(number % 3), 3478}, KeyTag::kClient);
}

// What the table says of `keys`, one by one and in bursts.
void expect_same(const FlowTable& table, const std::vector<std::uint32_t>& slots) {
  std::vector<FlowKey> keys;
  for (std::uint32_t number = 0; number < slots.size(); ++number) keys.push_back(key_of(number));
  for (std::size_t start = 0; start < keys.size(); start += kBurst) {
    const std::size_t count = std::min<std::size_t>(kBurst, keys.size() - start);
    std::array<const FlowKey*, kBurst> burst;
    std::array<std::uint32_t, kBurst> found;
    for (std::size_t i = 0; i < count; ++i) burst[i] = &keys[start + i];
    table.find_bulk({burst.data(), count}, found.data());
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(found[i], slots[start + i]) << start + i;
      ASSERT_EQ(table.find(keys[start + i]), slots[start + i]) << start + i;
    }
  }
}

TEST(FlowTable, HoldsAsManyKeysAsItWasMadeFor) {
  for (const std::uint32_t keys : {1U, 2U, 7U, 100U, 5000U, 300'000U}) {
    FlowTable table(keys, -1, keys);
    std::vector<std::uint32_t> slots;
    for (std::uint32_t number = 0; number < keys; ++number) {
      ASSERT_TRUE(table.insert(key_of(number), number * 3)) << number << " of " << keys;
      slots.push_back(number * 3);
    }
    EXPECT_EQ(table.size(), keys);
    for (std::uint32_t missing = 0; missing < 1000; ++missing) slots.push_back(kNoSlot);
    expect_same(table, slots);
    table.clear();
    EXPECT_EQ(table.size(), 0U);
    expect_same(table, std::vector<std::uint32_t>(keys, kNoSlot));
  }
}

TEST(FlowTable, AgreesWithAMapThroughRandomChanges) {
  constexpr std::uint32_t kKeys = 3000;
  std::mt19937 random(20260101);
  for (int round = 0; round < 8; ++round) {
    FlowTable table(kKeys * 3 / 4, -1, static_cast<std::uint64_t>(round));
    std::vector<std::uint32_t> slots(kKeys, kNoSlot);
    std::size_t live = 0;
    for (int step = 0; step < 60'000; ++step) {
      const std::uint32_t number = random() % kKeys;
      const bool there = slots[number] != kNoSlot;
      if (random() % 2 == 0 && (there || live < kKeys * 3 / 4)) {
        const std::uint32_t slot = random() % 1'000'000;
        ASSERT_TRUE(table.insert(key_of(number), slot));
        live += there ? 0 : 1;
        slots[number] = slot;
      } else {
        table.erase(key_of(number));
        live -= there ? 1 : 0;
        slots[number] = kNoSlot;
      }
    }
    EXPECT_EQ(table.size(), live);
    expect_same(table, slots);
  }
}

// Far more keys than it was made for: it refuses, and keeps what it took.
TEST(FlowTable, SaysWhenItIsFull) {
  FlowTable table(48, -1, 1);
  std::vector<std::uint32_t> slots;
  bool refused = false;
  for (std::uint32_t number = 0; number < 1000; ++number) {
    const bool taken = table.insert(key_of(number), number);
    slots.push_back(taken ? number : kNoSlot);
    refused = refused || !taken;
  }
  EXPECT_TRUE(refused);
  EXPECT_GE(table.size(), 48U);
  expect_same(table, slots);
  for (std::uint32_t number = 0; number < 1000; ++number) table.erase(key_of(number));
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace turnpike::dataplane
