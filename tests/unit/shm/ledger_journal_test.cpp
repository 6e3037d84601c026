// SPDX-License-Identifier: BSD-3-Clause
// A model of every crash: the stores of an update are made one word at a time, in any order that a copy may
// take, and its writer dies after each of them. What recover() leaves is the old record or the new one.
#include "common/shm/ledger_journal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

namespace turnpike {
namespace {

using shm::LedgerAllocation;
using shm::LedgerJournal;
using shm::LedgerTable;

struct Died {};

// Dies before store number `left`; the words of one copy come in the order that `order` shuffles.
struct DyingStores {
  static inline std::size_t left = 0;
  static inline std::mt19937 order;

  static void store() {
    if (left == 0) throw Died{};
    --left;
  }
  static void copy(void* to, const void* from, std::size_t size) {
    constexpr std::size_t kWord = 4;
    std::vector<std::size_t> words((size + kWord - 1) / kWord);
    std::iota(words.begin(), words.end(), 0);
    std::shuffle(words.begin(), words.end(), order);
    for (const std::size_t word : words) {
      store();
      const std::size_t at = word * kWord;
      std::memcpy(static_cast<char*>(to) + at, static_cast<const char*>(from) + at,
                  std::min(kWord, size - at));
    }
  }
  static void set(std::atomic<std::uint32_t>& word, std::uint32_t value) {
    store();
    word.store(value);
  }
};

LedgerAllocation record_of(std::uint8_t fill) {
  LedgerAllocation record;
  std::memset(static_cast<void*>(&record), fill, sizeof record);
  return record;
}

bool same(const LedgerAllocation& a, const LedgerAllocation& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

class LedgerJournalTest : public ::testing::Test {
protected:
  auto place() {
    return [this](LedgerTable table, std::uint32_t index) -> MutableBytes {
      if (table != LedgerTable::kAllocations || index >= records.size()) return {};
      return {reinterpret_cast<std::uint8_t*>(&records[index]), sizeof records[index]};
    };
  }
  // Whether the update was finished.
  bool update(std::uint32_t index, const LedgerAllocation& record, std::size_t stores) {
    DyingStores::left = stores;
    try {
      shm::replace<DyingStores>(*journal, LedgerTable::kAllocations, index, records[index], record);
    } catch (const Died&) {
      return false;
    }
    return true;
  }
  bool recover(std::size_t stores) {
    DyingStores::left = stores;
    try {
      EXPECT_TRUE(shm::recover<DyingStores>(*journal, place()));
    } catch (const Died&) {
      return false;
    }
    return true;
  }

  std::unique_ptr<LedgerJournal> journal = std::make_unique<LedgerJournal>();
  std::vector<LedgerAllocation> records{record_of(1), record_of(2), record_of(3)};
};

constexpr std::size_t kEnough = 100'000;

TEST_F(LedgerJournalTest, a_crash_at_every_store_leaves_the_old_or_the_new_record) {
  std::size_t kept = 0;
  std::size_t replaced = 0;
  bool finished = false;
  for (std::size_t stores = 0; !finished; ++stores) {
    DyingStores::order.seed(static_cast<unsigned>(stores));
    const LedgerAllocation before = records[1];
    const LedgerAllocation after = record_of(static_cast<std::uint8_t>(stores + 7));
    finished = update(1, after, stores);
    ASSERT_TRUE(recover(kEnough));
    ASSERT_TRUE(same(records[1], before) || same(records[1], after)) << "after " << stores << " stores";
    ++(same(records[1], after) ? replaced : kept);
    ASSERT_EQ(journal->armed.load(), 0u);
    ASSERT_TRUE(same(records[0], record_of(1)) && same(records[2], record_of(3)));
  }
  // The journal's words and `armed`, then the record's and `armed` again.
  EXPECT_EQ(kept, 2 + sizeof(LedgerAllocation) / 4 + 1);
  EXPECT_EQ(replaced, sizeof(LedgerAllocation) / 4 + 2);
}

TEST_F(LedgerJournalTest, a_recovery_that_dies_is_begun_again) {
  const LedgerAllocation before = records[2];
  const LedgerAllocation after = record_of(99);
  const std::size_t total = 3 + 2 * sizeof(LedgerAllocation) / 4 + 1;
  for (std::size_t stores = 0; stores <= total; ++stores) {
    for (std::size_t again = 0; again < sizeof(LedgerAllocation) / 4 + 2; again += 3) {
      records[2] = before;
      journal->armed.store(0);
      DyingStores::order.seed(static_cast<unsigned>(stores * 1000 + again));
      update(2, after, stores);
      recover(again);
      ASSERT_TRUE(recover(kEnough));
      ASSERT_TRUE(same(records[2], before) || same(records[2], after)) << stores << " then " << again;
    }
  }
}

TEST_F(LedgerJournalTest, a_journal_that_names_no_record_changes_nothing) {
  for (const std::uint32_t table : {0u, 1u, 77u}) {
    journal->armed.store(1);
    journal->table = static_cast<LedgerTable>(table);
    journal->index = table == 0 ? 3 : 0;
    EXPECT_FALSE(shm::recover<shm::PlainStores>(*journal, place()));
    EXPECT_EQ(journal->armed.load(), 0u);
  }
  EXPECT_TRUE(same(records[0], record_of(1)));
}

}  // namespace
}  // namespace turnpike
