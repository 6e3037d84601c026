// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/reactor.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

namespace turnpike::dataplane {
namespace {

class ReactorTest : public testing::Test {
protected:
  ~ReactorTest() override {
    close(first_);
    close(second_);
  }
  static void signal(int fd) { ASSERT_EQ(eventfd_write(fd, 1), 0); }

  Reactor reactor_;
  const int first_ = eventfd(0, EFD_NONBLOCK);
  const int second_ = eventfd(0, EFD_NONBLOCK);
};

TEST_F(ReactorTest, runs_the_handler_of_what_is_readable) {
  int runs = 0;
  reactor_.add(first_, [&] { ++runs; });
  reactor_.add(second_, [&] { FAIL(); });
  signal(first_);
  reactor_.wait(1000);
  EXPECT_EQ(runs, 1);
}

TEST_F(ReactorTest, waits_no_longer_than_told) {
  const auto start = std::chrono::steady_clock::now();
  reactor_.wait(20);
  const auto waited = std::chrono::steady_clock::now() - start;
  EXPECT_GE(waited, std::chrono::milliseconds(15));
  EXPECT_LT(waited, std::chrono::seconds(5));
}

// Both are readable in one round; the first to run removes the other and itself.
TEST_F(ReactorTest, handlers_may_remove_each_other) {
  int runs = 0;
  const auto handler = [&] {
    ++runs;
    reactor_.remove(first_);
    reactor_.remove(second_);
  };
  reactor_.add(first_, handler);
  reactor_.add(second_, handler);
  signal(first_);
  signal(second_);
  reactor_.wait(1000);
  reactor_.wait(0);
  EXPECT_EQ(runs, 1);
}

TEST_F(ReactorTest, a_descriptor_can_come_back) {
  int runs = 0;
  reactor_.add(first_, [] { FAIL(); });
  reactor_.remove(first_);
  reactor_.add(first_, [&] { ++runs; });
  signal(first_);
  reactor_.wait(1000);
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace turnpike::dataplane
