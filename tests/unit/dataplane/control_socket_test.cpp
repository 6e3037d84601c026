// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/control_socket.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/shm/region.hpp"
#include "dataplane/unix_socket.hpp"
#include "tests/unit/dataplane/temporary_directory.hpp"

namespace turnpike::dataplane {
namespace {

class ControlSocketTest : public testing::Test {
protected:
  void SetUp() override {
    auto region = shm::Region::create({1, 16, 16, 16, 1024, 1024});
    ASSERT_TRUE(region);
    region_.emplace(std::move(*region));
    region_->publish();
    auto opened = ControlSocket::open(path_, {region_->fd(), wake_main_, wake_main_, {wake_control_}},
                                      reactor_, [this](bool attached) { notified_.push_back(attached); });
    ASSERT_TRUE(opened) << opened.error();
    socket_ = std::move(*opened);
    loop_ = std::thread([this] {
      while (!stop_) reactor_.wait(10);
    });
  }
  void TearDown() override {
    stop_loop();
    socket_.reset();
    close(wake_main_);
    close(wake_control_);
  }
  void stop_loop() {
    stop_ = true;
    if (loop_.joinable()) loop_.join();
  }
  static void close_all(const shm::Handover& handover) {
    close(handover.connection);
    close(handover.descriptors.wake_main);
    for (const int fd : handover.descriptors.wake_control) close(fd);
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.path("dataplane.sock");
  const int wake_main_ = eventfd(0, EFD_NONBLOCK);
  const int wake_control_ = eventfd(0, EFD_NONBLOCK);
  Reactor reactor_;
  std::optional<shm::Region> region_;
  std::vector<bool> notified_;  // by the loop; read after it has stopped
  std::atomic<bool> stop_{false};
  std::thread loop_;
  std::unique_ptr<ControlSocket> socket_;
};

TEST_F(ControlSocketTest, hands_over_the_region_and_notices_the_end) {
  auto handover = shm::connect_to_dataplane(path_);
  ASSERT_TRUE(handover) << handover.error();
  EXPECT_EQ(handover->dataplane_pid, static_cast<std::uint32_t>(getpid()));
  auto attached = shm::Region::attach(handover->descriptors.region);
  ASSERT_TRUE(attached) << attached.error();
  EXPECT_EQ(attached->header().generation, region_->header().generation);
  close_all(*handover);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  stop_loop();
  EXPECT_EQ(notified_, (std::vector<bool>{true, false}));
}

TEST_F(ControlSocketTest, second_control_is_refused_with_the_pid_of_the_first) {
  auto first = shm::connect_to_dataplane(path_);
  ASSERT_TRUE(first);
  const auto second = shm::connect_to_dataplane(path_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("PID " + std::to_string(getpid())), std::string::npos) << second.error();
  close(first->descriptors.region);
  close_all(*first);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  auto third = shm::connect_to_dataplane(path_);
  EXPECT_TRUE(third) << "the place is free again";
  if (third) {
    close(third->descriptors.region);
    close_all(*third);
  }
}

TEST_F(ControlSocketTest, other_abi_is_refused) {
  const int connection = connect_to(path_);
  ASSERT_GE(connection, 0);
  const shm::HandoverHello hello{shm::kMagic, shm::kAbiVersion + 1, 4711};
  ASSERT_EQ(send(connection, &hello, sizeof hello, 0), static_cast<ssize_t>(sizeof hello));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  shm::HandoverReply reply;
  ASSERT_EQ(recv(connection, &reply, sizeof reply, 0), static_cast<ssize_t>(sizeof reply));
  EXPECT_EQ(reply.status, shm::HandoverStatus::kOtherAbi);
  EXPECT_EQ(reply.abi_version, shm::kAbiVersion);
  close(connection);
  stop_loop();
  EXPECT_TRUE(notified_.empty());
}

TEST_F(ControlSocketTest, one_that_says_nothing_or_nonsense_keeps_nobody_out) {
  const int mute = connect_to(path_);
  const int babbler = connect_to(path_);
  ASSERT_GE(mute, 0);
  ASSERT_GE(babbler, 0);
  ASSERT_EQ(send(babbler, "hello", 5, 0), 5);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  auto handover = shm::connect_to_dataplane(path_);
  ASSERT_TRUE(handover) << handover.error();
  close(handover->descriptors.region);
  close_all(*handover);
  close(mute);
  close(babbler);
}

TEST_F(ControlSocketTest, the_file_goes_with_it) {
  EXPECT_TRUE(std::filesystem::exists(path_));
  stop_loop();
  socket_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace turnpike::dataplane
