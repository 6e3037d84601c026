// SPDX-License-Identifier: BSD-3-Clause
// A connected datagram socket, in the file system or in the abstract namespace.
#include "common/process/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace turnpike::process {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  unsetenv(name);
  return text;
}

std::uint64_t number_in(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
    return -1;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

Notifier::Notifier() : socket_(connect_to(take_variable("NOTIFY_SOCKET"))) {
  const std::uint64_t allowed = number_in(take_variable("WATCHDOG_USEC"));
  const std::uint64_t watched = number_in(take_variable("WATCHDOG_PID"));
  if (allowed != 0 && (watched == 0 || watched == static_cast<std::uint64_t>(getpid()))) {
    watchdog_ = std::chrono::microseconds(allowed / 2);
  }
}

Notifier::~Notifier() {
  if (socket_ >= 0) close(socket_);
}

void Notifier::ready(std::string_view status) { send("READY=1\nSTATUS=" + std::string(status)); }
void Notifier::status(std::string_view text) { send("STATUS=" + std::string(text)); }
void Notifier::alive() { send("WATCHDOG=1"); }
void Notifier::stopping() { send("STOPPING=1"); }

// A manager that does not read has its reasons; we have no time to wait for them.
void Notifier::send(std::string_view text) {
  if (socket_ < 0) return;
  [[maybe_unused]] const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace turnpike::process
