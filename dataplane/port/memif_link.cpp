// SPDX-License-Identifier: BSD-3-Clause
// Relaying of memif's control messages, and the order of steps when a connection begins and ends.
#include "dataplane/port/memif_link.hpp"

#include <rte_cycles.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/log.hpp"
#include "dataplane/unix_socket.hpp"

namespace turnpike::dataplane {
namespace {

// memif version 2: every message is 128 bytes and starts with its type.
constexpr std::size_t kMessageSize = 128;
constexpr std::uint16_t kConnected = 7;
constexpr std::size_t kMaxDescriptors = 2;  // the protocol sends one at a time

struct ControlMessage {
  std::array<std::uint8_t, kMessageSize> body{};
  std::size_t size = 0;
  std::array<int, kMaxDescriptors> descriptors{};
  std::size_t descriptor_count = 0;

  std::uint16_t type() const {
    std::uint16_t type;
    std::memcpy(&type, body.data(), sizeof type);
    return type;
  }
  void close_descriptors() const {
    for (std::size_t i = 0; i < descriptor_count; ++i) close(descriptors[i]);
  }
};

using ControlBuffer = std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)>;

enum class Received : std::uint8_t { kMessage, kNothing, kEnd };

// The end: the connection closed, or speaks something else.
Received receive(int fd, ControlMessage& message) {
  iovec vector{message.body.data(), message.body.size()};
  alignas(cmsghdr) ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return errno == EAGAIN ? Received::kNothing : Received::kEnd;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    message.descriptor_count = std::min(count, kMaxDescriptors);
    std::memcpy(message.descriptors.data(), CMSG_DATA(part), message.descriptor_count * sizeof(int));
  }
  message.size = static_cast<std::size_t>(size);
  return message.size == kMessageSize ? Received::kMessage : Received::kEnd;
}

bool send(int fd, const ControlMessage& message) {
  iovec vector{const_cast<std::uint8_t*>(message.body.data()), message.size};
  alignas(cmsghdr) ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (message.descriptor_count != 0) {
    const std::size_t bytes = message.descriptor_count * sizeof(int);
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(part), message.descriptors.data(), bytes);
  }
  return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(message.size);
}

}  // namespace

Result<std::unique_ptr<MemifLink>> MemifLink::create(const MemifLinkConfig& config, Ethdev& device,
                                                     BurstGate& gate) {
  std::unique_ptr<MemifLink> link(new MemifLink(config, device, gate));
  auto listener = listen_on(config.server ? config.peer_path : config.driver_path);
  if (!listener) return Error{"port=" + config.label + ": " + listener.error()};
  link->listener_ = *listener;
  return link;
}

MemifLink::~MemifLink() {
  gate_.close();
  close_connection(peer_);
  device_.stop();  // before its socket closes: its interrupt thread must find nothing to take apart
  close_connection(driver_);
  if (listener_ < 0) return;
  if (reactor_ != nullptr) reactor_->remove(listener_);
  close(listener_);
  ::unlink((config_.server ? config_.peer_path : config_.driver_path).c_str());
}

Status MemifLink::join(Reactor& reactor, std::function<void()> on_change) {
  reactor_ = &reactor;
  on_change_ = std::move(on_change);
  reactor.add(listener_, [this] { accept_one(); });
  if (!config_.server) {
    accept_one();
    connect_peer();
  }
  return Unit{};
}

void MemifLink::tick() {
  if (!config_.server && peer_ < 0) connect_peer();
}

void MemifLink::accept_one() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  int& place = config_.server ? peer_ : driver_;
  if (place >= 0) {  // one peer at a time
    close(fd);
    return;
  }
  place = fd;
  if (!config_.server) return;
  driver_ = connect_to(config_.driver_path);
  if (driver_ < 0) {
    log_line("port=" + config_.label + ": net_memif does not answer: " + std::strerror(errno));
    close_connection(peer_);
    return;
  }
  begin();
}

void MemifLink::connect_peer() {
  if (driver_ < 0) return;
  peer_ = connect_to(config_.peer_path);
  if (peer_ >= 0) begin();
}

void MemifLink::begin() {
  reactor_->add(peer_, [this] { forward(peer_, driver_); });
  reactor_->add(driver_, [this] { forward(driver_, peer_); });
}

void MemifLink::forward(int from, int to) {
  ControlMessage message;
  const Received received = receive(from, message);
  if (received == Received::kNothing) return;
  // Once connected, the only thing that either side still says is that it leaves.
  const bool passed_on = received == Received::kMessage && !up() && send(to, message);
  message.close_descriptors();
  if (!passed_on) {
    take_down();
  } else if (message.type() == kConnected) {
    try_open();
  }
}

// A server's driver is connected before it says so; a client's as soon as its interrupt thread has read the
// message.
void MemifLink::try_open() {
  for (int tries = 0; tries < 1000; ++tries) {
    if (device_.link_up()) {
      gate_.open();
      on_change_();
      return;
    }
    rte_delay_us_sleep(100);
  }
  log_line("port=" + config_.label + ": net_memif did not connect");
  take_down();
}

void MemifLink::take_down() {
  gate_.close();
  on_change_();
  close_connection(peer_);
  const Status restarted = device_.restart();
  close_connection(driver_);
  if (!restarted) log_line("port=" + config_.label + ": " + restarted.error());
  if (!config_.server) accept_one();  // the driver has connected again
}

void MemifLink::close_connection(int& fd) {
  if (fd < 0) return;
  if (reactor_ != nullptr) reactor_->remove(fd);
  close(fd);
  fd = -1;
}

}  // namespace turnpike::dataplane
