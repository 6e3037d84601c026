// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/instance_lock.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "tests/unit/dataplane/temporary_directory.hpp"

namespace turnpike::dataplane {
namespace {

TEST(InstanceLock, second_is_refused_with_the_pid_of_the_first) {
  TemporaryDirectory directory;
  std::optional<InstanceLock> first;
  {
    auto taken = InstanceLock::take(directory.path(), "blue");
    ASSERT_TRUE(taken);
    first.emplace(std::move(*taken));
  }
  const auto second = InstanceLock::take(directory.path(), "blue");
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("PID " + std::to_string(getpid())), std::string::npos) << second.error();
  EXPECT_NE(second.error().find("instance blue"), std::string::npos);
}

TEST(InstanceLock, clean_end_leaves_nothing) {
  TemporaryDirectory directory;
  const std::string own = directory.path("own");
  const std::string shared = directory.path("shared");
  std::filesystem::create_directory(own);
  directory.write("shared/control.sock", "");
  EXPECT_TRUE(InstanceLock::take(own, "blue"));
  EXPECT_FALSE(std::filesystem::exists(own));
  EXPECT_TRUE(InstanceLock::take(shared, "blue"));
  EXPECT_TRUE(std::filesystem::exists(shared + "/control.sock"));
  EXPECT_FALSE(std::filesystem::exists(shared + "/dataplane.lock"));
  EXPECT_TRUE(InstanceLock::take(shared, "blue")) << "free again";
}

TEST(InstanceLock, killed_process_leaves_no_lock) {
  TemporaryDirectory directory;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto taken = InstanceLock::take(directory.path(), "blue");
    if (!taken || write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(InstanceLock::take(directory.path(), "blue"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(InstanceLock::take(directory.path(), "blue"));
  close(ready[0]);
  close(ready[1]);
}

TEST(InstanceLock, missing_directory_is_named) {
  const auto taken = InstanceLock::take("/nonexistent/turnpike", "blue");
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().find("/nonexistent/turnpike"), std::string::npos);
}

}  // namespace
}  // namespace turnpike::dataplane
