// SPDX-License-Identifier: BSD-3-Clause
// Unix-socket exchange that hands the region to control.
#include "common/shm/handover.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/shm/abi.hpp"

namespace turnpike::shm {
namespace {

constexpr std::size_t kFirstWakeControl = 3;  // in the order of their sending
constexpr std::size_t kMaxDescriptors = kFirstWakeControl + kMaxWorkers + 1;

Error system_error(const std::string& what) { return Error{what + ": " + std::strerror(errno)}; }

void set_timeout(int socket) {
  const timeval timeout{1, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

// Whatever descriptors a message brought, closed again unless they are taken.
class ReceivedDescriptors {
public:
  explicit ReceivedDescriptors(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      const std::size_t before = fds_.size();
      fds_.resize(before + count);
      std::memcpy(fds_.data() + before, CMSG_DATA(part), count * sizeof(int));
    }
    complete_ = (message.msg_flags & MSG_CTRUNC) == 0;
  }
  ~ReceivedDescriptors() {
    for (const int fd : fds_) close(fd);
  }
  ReceivedDescriptors(const ReceivedDescriptors&) = delete;
  ReceivedDescriptors& operator=(const ReceivedDescriptors&) = delete;

  bool take(HandoverDescriptors& out) {
    if (!complete_ || fds_.size() <= kFirstWakeControl || fds_.size() > kMaxDescriptors) return false;
    out.region = fds_[0];
    out.wake_main = fds_[1];
    out.wake_workers = fds_[2];
    out.wake_control.assign(fds_.begin() + kFirstWakeControl, fds_.end());
    fds_.clear();
    return true;
  }

private:
  std::vector<int> fds_;
  bool complete_ = false;
};

Result<Handover> take_reply(int connection, const std::string& path) {
  HandoverReply reply;
  iovec vector{&reply, sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  if (size == 0 || (size < 0 && (errno == EAGAIN || errno == ECONNRESET || errno == EINTR))) {
    return Error{"no dataplane answers at " + path +
                 " (it is starting, ending, or busy for more than a second)"};
  }
  ReceivedDescriptors received(message);
  if (size != sizeof reply || reply.magic != kMagic || reply.status > HandoverStatus::kNotPermitted) {
    return Error{"dataplane at " + path + ": no valid answer; is this the socket of a turnpike-dataplane?"};
  }
  switch (reply.status) {
    case HandoverStatus::kAccepted:
      break;
    case HandoverStatus::kOtherControl:
      return Error{"dataplane at " + path + ": another turnpike-control (PID " + std::to_string(reply.pid) +
                   ") is attached; stop it first or choose another --instance"};
    case HandoverStatus::kOtherAbi:
      return Error{"dataplane at " + path + " speaks ABI version " + std::to_string(reply.abi_version) +
                   " and this program version " + std::to_string(kAbiVersion) +
                   "; start both programs from the same release"};
    case HandoverStatus::kNotPermitted:
      return Error{"dataplane at " + path +
                   ": this user may not attach; run control as root or as the dataplane's user, or name "
                   "this user with --control-user of the dataplane"};
  }
  HandoverDescriptors descriptors;
  if (!received.take(descriptors)) {
    return Error{"dataplane at " + path + ": the answer carries no descriptors"};
  }
  return Handover{connection, std::move(descriptors), reply.pid};
}

}  // namespace

Result<HandoverHello> receive_hello(int connection) {
  set_timeout(connection);
  HandoverHello hello;
  if (recv(connection, &hello, sizeof hello, 0) != sizeof hello || hello.magic != kMagic) {
    return Error{"control socket: a connection without a valid greeting was closed"};
  }
  return hello;
}

Status send_reply(int connection, HandoverReply reply, const HandoverDescriptors& descriptors) {
  reply.magic = kMagic;
  reply.abi_version = kAbiVersion;
  iovec vector{&reply, sizeof reply};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  if (reply.status == HandoverStatus::kAccepted) {
    std::vector<int> fds{descriptors.region, descriptors.wake_main, descriptors.wake_workers};
    fds.insert(fds.end(), descriptors.wake_control.begin(), descriptors.wake_control.end());
    if (fds.size() > kMaxDescriptors) return Error{"control socket: more descriptors than a message takes"};
    const std::size_t bytes = sizeof(int) * fds.size();
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), fds.data(), bytes);
  }
  if (sendmsg(connection, &message, MSG_NOSIGNAL) != sizeof reply)
    return system_error("control socket: answering");
  return Unit{};
}

bool peer_permitted(int connection, uid_t allowed_uid) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid() || peer.uid == allowed_uid;
}

Result<Handover> connect_to_dataplane(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error{"socket path too long: " + path};
  std::memcpy(address.sun_path, path.data(), path.size());
  const int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connection < 0) return system_error("socket");
  set_timeout(connection);
  const HandoverHello hello{kMagic, kAbiVersion, static_cast<std::uint32_t>(getpid())};
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      send(connection, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello) {
    const Error error = system_error("no dataplane at " + path + " (start turnpike-dataplane first)");
    close(connection);
    return error;
  }
  auto reply = take_reply(connection, path);
  if (!reply) close(connection);
  return reply;
}

}  // namespace turnpike::shm
