// SPDX-License-Identifier: BSD-3-Clause
// Distinct errors: one record a text, counted; a full table loses only new texts.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "common/shm/counters.hpp"
#include "common/shm/distinct_errors.hpp"

namespace turnpike::test {
namespace {

TEST(ShmErrors, the_same_error_is_a_count_not_a_line) {
  auto records = std::make_unique<shm::ErrorRecords>();
  shm::DistinctErrors errors(records.get());
  errors.raise("first", 10);
  errors.raise("second", 20);
  errors.raise("first", 30);
  EXPECT_EQ((*records)[0].count.load(), 2u);
  EXPECT_EQ((*records)[0].first_ns.load(), 10u);
  EXPECT_EQ((*records)[0].last_ns.load(), 30u);
  EXPECT_EQ(shm::error_text((*records)[0]), "first");
  EXPECT_EQ(shm::error_text((*records)[1]), "second");
  EXPECT_EQ((*records)[2].count.load(), 0u);
}

TEST(ShmErrors, a_hostile_text_without_end_is_bounded) {
  auto records = std::make_unique<shm::ErrorRecords>();
  (*records)[0].text.fill('x');
  EXPECT_EQ(shm::error_text((*records)[0]).size(), (*records)[0].text.size());
}

TEST(ShmErrors, long_texts_are_cut_and_a_full_table_is_survived) {
  auto records = std::make_unique<shm::ErrorRecords>();
  shm::DistinctErrors errors(records.get());
  static const std::string long_text(300, 'y');
  errors.raise(long_text.c_str(), 1);
  EXPECT_EQ(shm::error_text((*records)[0]).size(), (*records)[0].text.size() - 1);
  static std::array<std::string, 40> texts;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i] = "error " + std::to_string(i);
    errors.raise(texts[i].c_str(), i);
  }
  EXPECT_EQ(shm::error_text(records->back()), "error 30");
}

TEST(ShmCounters, every_name_stands_once_in_its_table) {
  std::set<std::string_view> names;
  for (const auto& entry : shm::kDropReasonTable) EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
  for (const auto& entry : shm::kCounterTable) EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
  EXPECT_EQ(names.size(), shm::kDropReasons + shm::kCounters);
}

}  // namespace
}  // namespace turnpike::test
