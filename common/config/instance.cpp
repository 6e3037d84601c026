// SPDX-License-Identifier: BSD-3-Clause
// Instance names and socket paths.
#include "common/config/instance.hpp"

#include <fcntl.h>
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

Error failed(const std::string& path, const char* what) {
  return Error{"runtime-dir: cannot " + std::string(what) + " " + path + ": " + std::strerror(errno) +
               "; make it for this user or give another --runtime-dir"};
}

// An open directory; made when it is not there.
class Directory {
public:
  // `any_owner`: where only root makes directories, one of another user is what an earlier start left. In
  // /tmp somebody else could have made it first and would then own our sockets.
  static Status make(const std::string& path, bool any_owner, Directory& out) {
    const mode_t mode = geteuid() == 0 ? 0755 : 0700;
    if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return failed(path, "make");
    out.fd_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out.fd_ < 0 || fstat(out.fd_, &out.info_) != 0) {
      return Error{"runtime-dir: " + path + " is not a directory; remove it or give another --runtime-dir"};
    }
    if (out.info_.st_uid != geteuid() && out.info_.st_uid != 0 && !any_owner) {
      return Error{"runtime-dir: " + path + " belongs to another user; give another --runtime-dir"};
    }
    return Unit{};
  }
  Directory() = default;
  ~Directory() {
    if (fd_ >= 0) close(fd_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  bool only_root_writes() const { return info_.st_uid == 0 && (info_.st_mode & 0022) == 0; }
  bool give_to(const InstanceOwners& owners) const {
    const mode_t mode = owners.group ? 01775 : 0755;
    const bool so_already = info_.st_uid == owners.owner && (info_.st_mode & 07777) == mode &&
                            (!owners.group || info_.st_gid == *owners.group);
    return so_already || (fchmod(fd_, mode) == 0 && fchown(fd_, owners.owner, owners.group.value_or(0)) == 0);
  }

private:
  int fd_ = -1;
  struct stat info_ {};
};

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

Status make_instance_directory(const InstancePaths& paths, const InstanceOwners& owners) {
  const bool root = geteuid() == 0;
  Directory base;
  Directory own;
  const std::string base_path = paths.directory.substr(0, paths.directory.rfind('/'));
  if (auto made = Directory::make(base_path, false, base); !made) return made;
  if (auto made = Directory::make(paths.directory, root && base.only_root_writes(), own); !made) return made;
  if (root && !own.give_to(owners)) return failed(paths.directory, "give away");
  return Unit{};
}

}  // namespace turnpike::config
