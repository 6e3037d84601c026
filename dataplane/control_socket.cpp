// SPDX-License-Identifier: BSD-3-Clause
// Accepting, refusing and losing control.
#include "dataplane/control_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/shm/abi.hpp"
#include "dataplane/log.hpp"
#include "dataplane/unix_socket.hpp"

namespace turnpike::dataplane {
namespace {

pid_t peer_pid(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::string& path,
                                                           shm::HandoverDescriptors descriptors,
                                                           Reactor& reactor, Notify notify,
                                                           const ControlAccess& access) {
  std::unique_ptr<ControlSocket> self(
      new ControlSocket(path, descriptors, reactor, std::move(notify), access));
  auto listener = listen_on(path);
  if (!listener) return Error{listener.error()};
  self->listener_ = *listener;
  if (auto opened = self->open_to_others(); !opened) return Error{opened.error()};
  reactor.add(self->listener_, [socket = self.get()] { socket->accept_one(); });
  return self;
}

// To connect means to write: the mode decides who may knock, accept_one() who comes in.
Status ControlSocket::open_to_others() const {
  if (!access_.owner && !access_.control) return Unit{};
  const gid_t group = access_.control ? access_.control->gid : static_cast<gid_t>(-1);
  if (chmod(path_.c_str(), access_.control ? 0660 : 0600) != 0 ||
      chown(path_.c_str(), access_.owner.value_or(geteuid()), group) != 0) {
    return Error{"control-user: cannot give " + path_ + " away: " + std::strerror(errno) +
                 "; start as root, or as a member of that user's group"};
  }
  return Unit{};
}

ControlSocket::~ControlSocket() {
  close_newcomer();
  if (attached_ >= 0) {
    reactor_.remove(attached_);
    close(attached_);
  }
  if (listener_ < 0) return;
  reactor_.remove(listener_);
  close(listener_);
  unlink(path_.c_str());
}

// The greeting is read when it is there, never waited for: main has links and twins to serve. One newcomer at
// a time; the listener's backlog keeps the others.
void ControlSocket::accept_one() {
  if (newcomer_ >= 0) close_newcomer();
  newcomer_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (newcomer_ < 0) return;
  reactor_.add(newcomer_, [this] { greet(); });
}

void ControlSocket::greet() {
  const auto hello = shm::receive_hello(newcomer_);
  if (!hello) {
    close_newcomer();
    return;
  }
  // The PID that the kernel vouches for; in another PID namespace it knows none of ours.
  const pid_t vouched = peer_pid(newcomer_);
  const auto pid = vouched > 0 ? static_cast<std::uint32_t>(vouched) : hello->pid;
  const std::string name = "control (PID " + std::to_string(pid) + ")";
  shm::HandoverReply reply;
  reply.pid = static_cast<std::uint32_t>(getpid());
  if (!shm::peer_permitted(newcomer_, access_.control ? access_.control->uid : geteuid())) {
    reply.status = shm::HandoverStatus::kNotPermitted;
    log_line(name + " refused: it runs as another user; name that with --control-user");
  } else if (hello->abi_version != shm::kAbiVersion) {
    reply.status = shm::HandoverStatus::kOtherAbi;
    log_line(name + " refused: it speaks ABI version " + std::to_string(hello->abi_version) +
             ", this program version " + std::to_string(shm::kAbiVersion));
  } else if (attached_ >= 0) {
    reply.status = shm::HandoverStatus::kOtherControl;
    reply.pid = attached_pid_;
    log_line(name + " refused: control (PID " + std::to_string(attached_pid_) + ") is attached");
  }
  const Status sent = shm::send_reply(newcomer_, reply, descriptors_);
  if (!sent || reply.status != shm::HandoverStatus::kAccepted) {
    close_newcomer();
    return;
  }
  reactor_.remove(newcomer_);
  attached_ = newcomer_;
  newcomer_ = -1;
  attached_pid_ = pid;
  reactor_.add(attached_, [this] { watch_attached(); });
  log_line(name + " attached");
  notify_(true);
}

// Control says nothing more on this connection: readable means that it is gone.
void ControlSocket::watch_attached() {
  char byte;
  if (recv(attached_, &byte, sizeof byte, MSG_DONTWAIT) > 0) return;
  detach();
}

void ControlSocket::detach() {
  reactor_.remove(attached_);
  close(attached_);
  attached_ = -1;
  log_line("control (PID " + std::to_string(attached_pid_) + ") is gone; sessions go on without it");
  notify_(false);
}

void ControlSocket::close_newcomer() {
  if (newcomer_ < 0) return;
  reactor_.remove(newcomer_);
  close(newcomer_);
  newcomer_ = -1;
}

}  // namespace turnpike::dataplane
