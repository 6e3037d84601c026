// SPDX-License-Identifier: BSD-3-Clause
// The hand-over of the region over a Unix socket.
#include "common/shm/handover.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

#include "common/shm/abi.hpp"

namespace turnpike::test {
namespace {

// A dataplane that answers one connection.
class Handover : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/handover-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener_, 1), 0);
    for (int& fd : fds_) fd = eventfd(0, EFD_CLOEXEC);
  }
  void TearDown() override {
    for (const int fd : fds_) close(fd);
    close(listener_);
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }
  Result<shm::Handover> connect_and_answer(shm::HandoverStatus status) {
    std::thread dataplane([&] {
      const int connection = accept(listener_, nullptr, nullptr);
      const auto hello = shm::receive_hello(connection);
      EXPECT_TRUE(hello);
      EXPECT_EQ(hello->abi_version, shm::kAbiVersion);
      EXPECT_EQ(hello->pid, static_cast<std::uint32_t>(getpid()));
      EXPECT_TRUE(shm::peer_permitted(connection, getuid()));
      shm::HandoverReply reply;
      reply.status = status;
      reply.pid = 4711;
      EXPECT_TRUE(shm::send_reply(connection, reply, {fds_[0], fds_[1], fds_[2], {fds_[3], fds_[4]}}));
      close(connection);
    });
    auto result = shm::connect_to_dataplane(path_);
    dataplane.join();
    return result;
  }

  std::string folder_;
  std::string path_;
  int listener_ = -1;
  std::array<int, 5> fds_{};
};

TEST_F(Handover, descriptors_arrive_in_their_order) {
  auto result = connect_and_answer(shm::HandoverStatus::kAccepted);
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->dataplane_pid, 4711u);
  const shm::HandoverDescriptors& given = result->descriptors;
  ASSERT_EQ(given.wake_control.size(), 2u);
  const std::array<int, 5> received{given.region, given.wake_main, given.wake_workers, given.wake_control[0],
                                    given.wake_control[1]};
  for (std::size_t i = 0; i < received.size(); ++i) {
    const std::uint64_t one = i + 1;
    ASSERT_EQ(write(received[i], &one, sizeof one), static_cast<ssize_t>(sizeof one));
    std::uint64_t value = 0;
    ASSERT_EQ(read(fds_[i], &value, sizeof value), static_cast<ssize_t>(sizeof value));
    EXPECT_EQ(value, i + 1);
    close(received[i]);
  }
  close(result->connection);
}

TEST_F(Handover, refusals_say_why_and_what_to_do) {
  EXPECT_NE(connect_and_answer(shm::HandoverStatus::kOtherControl).error().find("PID 4711"),
            std::string::npos);
  EXPECT_NE(connect_and_answer(shm::HandoverStatus::kOtherAbi).error().find("ABI version"),
            std::string::npos);
  EXPECT_NE(connect_and_answer(shm::HandoverStatus::kNotPermitted).error().find("user"), std::string::npos);
}

TEST_F(Handover, without_a_dataplane_the_path_is_named) {
  const auto result = shm::connect_to_dataplane(folder_ + "/nobody");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().find(folder_ + "/nobody"), std::string::npos);
  EXPECT_FALSE(shm::connect_to_dataplane("/tmp/" + std::string(200, 'x')));
}

TEST_F(Handover, silence_is_no_refusal) {
  // Nobody accepts: a dataplane that starts on a busy machine.
  const auto silent = shm::connect_to_dataplane(path_);
  ASSERT_FALSE(silent);
  EXPECT_TRUE(silent.error().starts_with("no dataplane")) << silent.error();
}

TEST_F(Handover, a_greeting_that_is_none_is_refused) {
  std::thread stranger([&] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    const int connection = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    EXPECT_EQ(connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(send(connection, "GET /", 5, 0), 5);
    close(connection);
  });
  const int connection = accept(listener_, nullptr, nullptr);
  EXPECT_FALSE(shm::receive_hello(connection));
  close(connection);
  stranger.join();
}

// As fuzz_region demands: such an answer must not cost control its descriptors.
TEST_F(Handover, descriptors_of_an_answer_that_is_refused_are_closed) {
  const auto lowest_free = [] {
    const int fd = dup(STDIN_FILENO);
    close(fd);
    return fd;
  };
  const int before = lowest_free();
  for (const std::uint64_t magic : {std::uint64_t{1}, shm::kMagic}) {
    std::thread dataplane([&] {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      EXPECT_TRUE(shm::receive_hello(connection));
      shm::HandoverReply reply{magic, shm::kAbiVersion,
                               static_cast<shm::HandoverStatus>(magic == 1 ? 0 : 77)};
      iovec vector{&reply, sizeof reply};
      alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
      msghdr message{};
      message.msg_iov = &vector;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(4 * sizeof(int));
      const std::array<int, 4> fds{listener_, listener_, listener_, listener_};
      std::memcpy(CMSG_DATA(rights), fds.data(), sizeof fds);
      EXPECT_GT(sendmsg(connection, &message, 0), 0);
      close(connection);
    });
    const auto handover = shm::connect_to_dataplane(path_);
    dataplane.join();
    ASSERT_FALSE(handover);
    EXPECT_NE(handover.error().find("no valid answer"), std::string::npos) << handover.error();
  }
  EXPECT_EQ(lowest_free(), before);
}

}  // namespace
}  // namespace turnpike::test
