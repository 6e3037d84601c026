// SPDX-License-Identifier: BSD-3-Clause
// A test body in a network namespace of its own: with root's rights there, and nothing to clean up.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace turnpike::test {

inline constexpr int kNoNamespace = 77;

// Runs `body` in a child process and a new network namespace, where it may do what it likes.
template <typename Body>
void in_namespace(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    const int flags = CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (unshare(flags) != 0) _exit(kNoNamespace);
    body();
    fflush(stdout);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoNamespace)
    GTEST_SKIP() << "no right to make a network namespace";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the output of the child process";
}

inline void shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

}  // namespace turnpike::test
