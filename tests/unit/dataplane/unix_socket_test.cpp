// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/unix_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/dataplane/temporary_directory.hpp"

namespace turnpike::dataplane {
namespace {

TEST(UnixSocket, file_of_a_dead_listener_is_replaced) {
  TemporaryDirectory directory;
  const std::string path = directory.path("x.sock");
  const auto first = listen_on(path);
  ASSERT_TRUE(first);
  close(*first);
  EXPECT_EQ(connect_to(path), -1);
  const auto second = listen_on(path);
  ASSERT_TRUE(second) << second.error();
  const int connection = connect_to(path);
  EXPECT_GE(connection, 0);
  close(connection);
  close(*second);
}

TEST(UnixSocket, live_listener_is_left_alone) {
  TemporaryDirectory directory;
  const std::string path = directory.path("x.sock");
  const auto first = listen_on(path);
  ASSERT_TRUE(first);
  const auto second = listen_on(path);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("in use"), std::string::npos);
  const int connection = connect_to(path);
  EXPECT_GE(connection, 0) << "the first one still listens";
  close(connection);
  close(*first);
}

// A vhost-user socket is a stream.
TEST(UnixSocket, a_listener_of_another_type_is_left_alone) {
  TemporaryDirectory directory;
  const std::string path = directory.path("x.sock");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_FALSE(clear_socket(path));
  close(listener);
  EXPECT_TRUE(clear_socket(path));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(UnixSocket, other_files_are_not_removed) {
  TemporaryDirectory directory;
  directory.write("precious", "data");
  const auto listener = listen_on(directory.path("precious"));
  ASSERT_FALSE(listener);
  EXPECT_NE(listener.error().find("is no socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(directory.path("precious")));
}

TEST(UnixSocket, long_path_is_refused) { EXPECT_FALSE(listen_on("/tmp/" + std::string(150, 'x'))); }

}  // namespace
}  // namespace turnpike::dataplane
