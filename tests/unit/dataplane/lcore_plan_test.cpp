// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/lcore_plan.hpp"

#include <gtest/gtest.h>

namespace turnpike::dataplane {
namespace {

using Lcores = std::vector<unsigned>;

TEST(LcorePlan, one_worker_on_the_last_of_two_cpus) {
  const auto plan = plan_lcores(1, "", {0, 1});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->eal_lcores, "0@0,1@1");
  EXPECT_EQ(plan->workers, Lcores{1});
  EXPECT_EQ(plan->note, "");
}

TEST(LcorePlan, workers_take_the_last_cpus_of_the_affinity) {
  const auto plan = plan_lcores(3, "", {2, 5, 6, 130, 131});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->eal_lcores, "0@2,1@6,2@130,3@131") << "lcore ids stay small whatever the CPU numbers are";
  EXPECT_EQ(plan->workers, (Lcores{1, 2, 3}));
}

TEST(LcorePlan, main_shares_when_there_is_no_cpu_left) {
  const auto plan = plan_lcores(2, "", {0, 1});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->eal_lcores, "0@0,1@0,2@1");
  EXPECT_NE(plan->note.find("CPU 0 is shared"), std::string::npos);
  EXPECT_EQ(plan_lcores(1, "", {7})->eal_lcores, "0@7,1@7");
}

TEST(LcorePlan, more_workers_than_cpus_names_the_way_out) {
  const auto plan = plan_lcores(3, "", {0, 1});
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().find("--lcores '0@0,1@0,2@0'"), std::string::npos) << plan.error();
  EXPECT_FALSE(plan_lcores(1, "", {}));
}

TEST(LcorePlan, the_operators_choice_is_kept) {
  const auto shared = plan_lcores(2, "0@0,1@0,2@1", {0, 1});
  ASSERT_TRUE(shared) << shared.error();
  EXPECT_EQ(shared->eal_lcores, "0@0,1@0,2@1");
  EXPECT_EQ(shared->workers, (Lcores{1, 2}));
  const auto ranges = plan_lcores(3, "0,(2-4)@(1,3)", {0, 1, 2, 3});
  ASSERT_TRUE(ranges) << ranges.error();
  EXPECT_EQ(ranges->workers, (Lcores{2, 3, 4}));
}

TEST(LcorePlan, wrong_choices_are_refused) {
  for (const char* text : {"x", "0@", "0@0,1", "1@1,2@0", "0@0,0@1", "0@0", "0@0,1@0,2@1", "0@0,200@1",
                           "0@0,1@9", "0@0,1@1-0", "0@0,,1@1", "0@0,1@99999"}) {
    const auto plan = plan_lcores(1, text, {0});
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().rfind("lcores=" + std::string(text) + ": ", 0), 0u) << plan.error();
  }
}

TEST(LcorePlan, this_process_may_run_somewhere) { EXPECT_FALSE(affinity_cpus().empty()); }

}  // namespace
}  // namespace turnpike::dataplane
