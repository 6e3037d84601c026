// SPDX-License-Identifier: BSD-3-Clause
// Instance names and the paths that follow from them.
#include "common/config/instance.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace turnpike::config {
namespace {

TEST(Instance, default_is_the_same_for_every_call_and_a_file_name) {
  const auto paths = instance_paths("", "");
  ASSERT_TRUE(paths);
  EXPECT_EQ(paths->instance, default_instance());
  EXPECT_TRUE(paths->instance == "default" || paths->instance.starts_with("ns-"));
}

TEST(Instance, paths_follow_from_name_and_directory) {
  const auto paths = instance_paths("blue", "/run/x");
  ASSERT_TRUE(paths);
  EXPECT_EQ(paths->dataplane_socket, "/run/x/blue/dataplane.sock");
  EXPECT_EQ(paths->control_socket, "/run/x/blue/control.sock");
}

TEST(Instance, names_that_leave_the_directory_are_refused) {
  for (const char* name : {"..", ".", "a/b", "a b", ".hidden", "a\n"}) {
    EXPECT_FALSE(instance_paths(name, "/run/x")) << name;
  }
  EXPECT_FALSE(instance_paths(std::string(65, 'a'), "/run/x"));
  EXPECT_FALSE(instance_paths("a", "/" + std::string(100, 'd'))) << "too long for a socket path";
}

TEST(Instance, directory_is_made_and_must_be_a_directory) {
  char pattern[] = "/tmp/turnpike-instance-XXXXXX";
  const std::string base = std::string(mkdtemp(pattern)) + "/runtime";
  const auto paths = instance_paths("t", base);
  ASSERT_TRUE(paths);
  EXPECT_TRUE(make_instance_directory(*paths));
  EXPECT_TRUE(make_instance_directory(*paths)) << "again";
  EXPECT_TRUE(std::filesystem::is_directory(paths->directory));
  rmdir(paths->directory.c_str());
  ASSERT_EQ(symlink("/tmp", paths->directory.c_str()), 0);
  EXPECT_FALSE(make_instance_directory(*paths)) << "a link could lead anywhere";
  std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace turnpike::config
