// SPDX-License-Identifier: BSD-3-Clause
// Binding and connecting.
#include "dataplane/unix_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace turnpike::dataplane {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

}  // namespace

Status clear_socket(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return Unit{};
  if (!S_ISSOCK(info.st_mode))
    return Error{path + " exists and is no socket; remove it or name another path"};
  const int other = connect_to(path);
  const bool left_behind = other < 0 && errno == ECONNREFUSED;  // of any type
  if (other >= 0) close(other);
  if (!left_behind) return Error{path + " is in use by another process; stop it or name another path"};
  ::unlink(path.c_str());
  return Unit{};
}

Result<int> listen_on(const std::string& path) {
  const sockaddr_un address = address_of(path);
  if (path != address.sun_path) return Error{path + " is too long for a socket"};
  if (auto cleared = clear_socket(path); !cleared) return Error{cleared.error()};
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 4) != 0) {
    const Error error{"listening on " + path + ": " + std::strerror(errno)};
    if (fd >= 0) close(fd);
    return error;
  }
  return fd;
}

int connect_to(const std::string& path) {
  const sockaddr_un address = address_of(path);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace turnpike::dataplane
