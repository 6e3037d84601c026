// SPDX-License-Identifier: BSD-3-Clause
// Which of a listener's sockets the kernel gives a datagram to, on loopback.
#include "dataplane/port/listener_lanes.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "common/base/types.hpp"
#include "common/wire/socket_address.hpp"
#include "dataplane/port/socket_endpoint.hpp"

namespace turnpike::dataplane {
namespace {

using Message = std::vector<std::uint8_t>;

const Message kAllocate{0x00, 0x03, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42};
const Message kSend{0x00, 0x16, 0x00, 0x00, 0x21, 0x12, 0xA4, 0x42};
const Message kChannelData{0x40, 0x01, 0x00, 0x00};
const Message kOldChannelData{0x5F, 0x01, 0x00, 0x00};
const Message kDtls{0x16, 0xFE, 0xFD, 0x00};
const Message kGarbage{0x80, 0x01};
const Message kShort{0x00};

class ListenerLanes : public testing::TestWithParam<const char*> {
protected:
  void open(std::uint16_t workers) {
    server_ = {*wire::parse_address(GetParam()), 0, 0};
    for (std::size_t i = 0; i < kLanes * workers; ++i) {
      fds_.push_back(open_socket(server_, true, true, false));
      ASSERT_GE(fds_.back(), 0);
      if (i != 0) continue;
      wire::SocketAddress bound;
      socklen_t size = sizeof bound;
      ASSERT_EQ(getsockname(fds_[0], &bound.any, &size), 0);
      server_ = wire::from_kernel(bound);
    }
    ASSERT_TRUE(attach_listener_lanes(fds_[0], server_.address.is_v4(), workers));
  }
  void TearDown() override {
    for (const int fd : fds_) close(fd);
  }
  int open_client() const { return open_socket({server_.address, 0, 0}, false, false, false); }
  // The socket that has got it, within a second.
  std::optional<std::size_t> send(int client, const Message& message) const {
    wire::SocketAddress to;
    const socklen_t size = wire::to_kernel(server_, to);
    EXPECT_EQ(sendto(client, message.data(), message.size(), 0, &to.any, size),
              static_cast<ssize_t>(message.size()));
    std::vector<pollfd> readable;
    for (const int fd : fds_) readable.push_back({fd, POLLIN, 0});
    if (poll(readable.data(), readable.size(), 1000) != 1) return std::nullopt;
    const auto found = std::ranges::find_if(readable, [](const pollfd& one) { return one.revents != 0; });
    std::uint8_t byte;
    EXPECT_GE(recv(found->fd, &byte, 1, 0), 0);
    return static_cast<std::size_t>(found - readable.begin());
  }

  wire::Endpoint server_;
  std::vector<int> fds_;
};

TEST_P(ListenerLanes, media_and_the_rest_apart) {
  open(1);
  const int client = open_client();
  for (const Message& media : {kSend, kChannelData, kOldChannelData}) EXPECT_EQ(send(client, media), 1U);
  for (const Message& other : {kAllocate, kDtls, kGarbage, kShort}) EXPECT_EQ(send(client, other), 0U);
  close(client);
}

TEST_P(ListenerLanes, both_lanes_of_a_client_are_one_workers) {
  constexpr std::uint16_t kWorkers = 3;
  open(kWorkers);
  std::set<std::size_t> workers;
  for (int i = 0; i < 60; ++i) {
    const int client = open_client();
    const auto request = send(client, kAllocate);
    const auto media = send(client, kChannelData);
    ASSERT_TRUE(request && media);
    EXPECT_EQ(*request % kLanes, 0U);
    EXPECT_EQ(*media, *request + 1);
    workers.insert(*request / kLanes);
    close(client);
  }
  EXPECT_EQ(workers.size(), kWorkers);
}

INSTANTIATE_TEST_SUITE_P(, ListenerLanes, testing::Values("127.0.0.1", "::1"));

}  // namespace
}  // namespace turnpike::dataplane
