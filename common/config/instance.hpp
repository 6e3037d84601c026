// SPDX-License-Identifier: BSD-3-Clause
// Where the programs of one instance meet: its name and the paths of its sockets.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "common/base/result.hpp"
#include "common/config/options.hpp"

namespace turnpike::config {

// "default" in the network namespace of process 1, "ns-INODE" in every other (or when that cannot be read),
// so that instances in several namespaces of one host keep apart.
std::string default_instance();
// /run/turnpike as root, else $XDG_RUNTIME_DIR/turnpike, else /tmp/turnpike-UID.
std::string default_runtime_dir();

struct InstancePaths {
  std::string instance;
  std::string directory;         // RUNTIME_DIR/INSTANCE
  std::string dataplane_socket;  // made by turnpike-dataplane, for the hand-over of the region
  std::string control_socket;    // made by turnpike-control, for turnpikectl
};
// Empty arguments mean the defaults. Fails on a name that is no file name and on paths too long for a socket.
Result<InstancePaths> instance_paths(const std::string& instance, const std::string& runtime_dir);
Result<InstancePaths> instance_paths(const Options& options);

// To whom root gives the instance's directory.
struct InstanceOwners {
  uid_t owner = geteuid();
  std::optional<gid_t> group;  // may make files there too, and delete only its own
};

// Makes RUNTIME_DIR and RUNTIME_DIR/INSTANCE (mode 0755, 0700 outside root's); fails when one belongs to
// somebody else.
Status make_instance_directory(const InstancePaths& paths, const InstanceOwners& owners = {});

}  // namespace turnpike::config
