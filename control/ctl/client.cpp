// SPDX-License-Identifier: BSD-3-Clause
// Connect, send a line, read to the end.
#include "control/ctl/client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "control/runtime/unique_fd.hpp"

namespace turnpike::ctl {
namespace {

constexpr timeval kTimeout{15, 0};

Error system_error(const std::string& path) {
  if (errno == ENOENT || errno == ECONNREFUSED) {
    return Error{"no turnpike-control at " + path + "; start it, or name its --instance and --runtime-dir"};
  }
  if (errno == EACCES || errno == EPERM) {
    return Error{"no access to " + path +
                 "; run turnpikectl as root, as the user that runs turnpike-control or as a member of its "
                 "--admin-group"};
  }
  if (errno == EAGAIN) return Error{path + ": turnpike-control does not answer"};
  return Error{path + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::string> ask(const std::string& socket_path, const std::string& line) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return Error{"socket path too long: " + socket_path};
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const control::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return system_error(socket_path);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error(socket_path);
  }
  const std::string request = line + "\n";
  if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return system_error(socket_path);
  }
  std::string answer;
  char buffer[65536];
  for (;;) {
    const ssize_t size = recv(socket.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error(socket_path);
    if (size == 0) break;
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  if (answer.empty() || answer.back() != '\n')
    return Error{socket_path + ": turnpike-control ended in mid-answer"};
  answer.pop_back();
  return answer;
}

}  // namespace turnpike::ctl
