// SPDX-License-Identifier: BSD-3-Clause
// Requests and change notifications over libmnl.
#include "control/netlink/socket.hpp"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace turnpike::control::netlink {
namespace {

constexpr std::size_t kBufferSize = 64 * 1024;        // the kernel fills at most 32 KiB in one read
constexpr int kNotificationBuffer = 4 * 1024 * 1024;  // a flapping full BGP table should not overrun us

int call_visit(const nlmsghdr* message, void* visit) {
  (*static_cast<const Visit*>(visit))(message);
  return MNL_CB_OK;
}

}  // namespace

Result<Socket> Socket::open(std::initializer_list<unsigned> groups) {
  Socket opened;
  const bool hears = groups.size() != 0;
  opened.socket_.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (hears ? SOCK_NONBLOCK : 0)));
  if (!opened.socket_ || mnl_socket_bind(opened.socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0) {
    return Error{std::string("netlink: cannot open a socket: ") + std::strerror(errno)};
  }
  opened.buffer_.resize(kBufferSize);
  if (!hears) {
    const timeval timeout{2, 0};
    setsockopt(opened.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return opened;
  }
  setsockopt(opened.fd(), SOL_SOCKET, SO_RCVBUF, &kNotificationBuffer, sizeof kNotificationBuffer);
  for (unsigned group : groups) {
    if (mnl_socket_setsockopt(opened.socket_.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return Error{"netlink: cannot subscribe to group " + std::to_string(group) + ": " +
                   std::strerror(errno)};
    }
  }
  return opened;
}

int Socket::request(nlmsghdr* message, const Visit& visit) {
  message->nlmsg_seq = ++sequence_;
  const unsigned own = mnl_socket_get_portid(socket_.get());
  if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) return errno;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
    if (size < 0) return errno;
    // An answer to a request that timed out before this one.
    if (reinterpret_cast<const nlmsghdr*>(buffer_.data())->nlmsg_seq != sequence_) continue;
    const int run = mnl_cb_run(buffer_.data(), static_cast<std::size_t>(size), sequence_, own, call_visit,
                               const_cast<Visit*>(&visit));
    if (run < 0) return errno;
    if (run == MNL_CB_STOP) return 0;
  }
}

bool Socket::drain(const Visit& visit) {
  bool complete = true;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      complete = false;
      continue;
    }
    if (size <= 0) return complete;
    // Sequence and port 0: not checked, since changes caused by a request of somebody carry theirs.
    if (mnl_cb_run(buffer_.data(), static_cast<std::size_t>(size), 0, 0, call_visit,
                   const_cast<Visit*>(&visit)) < 0) {
      complete = false;
    }
  }
}

}  // namespace turnpike::control::netlink
