// SPDX-License-Identifier: BSD-3-Clause
// Instance names and socket paths.
#include "common/config/instance.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace turnpike::config {
namespace {

constexpr std::size_t kSocketPathSize = 108;  // sun_path, with its NUL

bool is_instance_name(const std::string& name) {
  const auto plain = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), plain);
}

Status make_directory(const std::string& path) {
  const mode_t mode = geteuid() == 0 ? 0755 : 0700;
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return Error{"runtime-dir: cannot make " + path + ": " + std::strerror(errno) +
                 "; make it for this user or give another --runtime-dir"};
  }
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return Error{"runtime-dir: " + path + " is not a directory; remove it or give another --runtime-dir"};
  }
  // In /tmp somebody else could have made it first and would then own our sockets.
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    return Error{"runtime-dir: " + path + " belongs to another user; give another --runtime-dir"};
  }
  return Unit{};
}

}  // namespace

std::string default_instance() {
  struct stat own {};
  if (stat("/proc/self/ns/net", &own) != 0) return "default";
  struct stat first {};
  if (stat("/proc/1/ns/net", &first) == 0 && first.st_ino == own.st_ino) return "default";
  return "ns-" + std::to_string(own.st_ino);
}

std::string default_runtime_dir() {
  if (geteuid() == 0) return "/run/turnpike";
  const char* base = std::getenv("XDG_RUNTIME_DIR");
  if (base != nullptr && *base == '/') return std::string(base) + "/turnpike";
  return "/tmp/turnpike-" + std::to_string(geteuid());
}

Result<InstancePaths> instance_paths(const std::string& instance, const std::string& runtime_dir) {
  InstancePaths paths;
  paths.instance = instance.empty() ? default_instance() : instance;
  if (!is_instance_name(paths.instance)) {
    return Error{"instance=" + paths.instance +
                 ": use 1 to 64 letters, digits, '-', '_' or '.', no '.' first"};
  }
  const std::string base = runtime_dir.empty() ? default_runtime_dir() : runtime_dir;
  paths.directory = base + "/" + paths.instance;
  paths.dataplane_socket = paths.directory + "/dataplane.sock";
  paths.control_socket = paths.directory + "/control.sock";
  if (paths.dataplane_socket.size() >= kSocketPathSize) {
    return Error{"runtime-dir=" + base + ": too long for a socket path; give a shorter one"};
  }
  return paths;
}

Result<InstancePaths> instance_paths(const Options& options) {
  return instance_paths(options.text("instance"), options.text("runtime-dir"));
}

Status make_instance_directory(const InstancePaths& paths) {
  const std::string base = paths.directory.substr(0, paths.directory.rfind('/'));
  if (auto made = make_directory(base); !made) return made;
  return make_directory(paths.directory);
}

}  // namespace turnpike::config
