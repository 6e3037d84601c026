// SPDX-License-Identifier: BSD-3-Clause
// Capabilities and users by system calls, in the order in which each step still may.
#include "common/process/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/process/every_thread.hpp"

namespace turnpike::process {
namespace {

using CapabilityData = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

__user_cap_header_struct own_header() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

// While the thread may still change its bounding set, and so that the change of the user leaves its
// capabilities alone. Without CAP_SETPCAP the bounding set stays, and cannot be used: nothing executed gains
// anything.
int prepare_thread(const void* argument) {
  const auto& kept = *static_cast<const CapabilitySet*>(argument);
  for (int capability = 0; capability < 64; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) break;
    if (!kept.contains(capability)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int limit_thread(const void* argument) {
  const std::uint64_t kept = static_cast<const CapabilitySet*>(argument)->bits();
  auto header = own_header();
  CapabilityData data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return errno;
  for (std::size_t word = 0; word < data.size(); ++word) {
    data[word].permitted &= static_cast<std::uint32_t>(kept >> 32 * word);
    data[word].effective = data[word].permitted;
    data[word].inheritable = 0;
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // kernels before 4.3 have none
  if (syscall(SYS_capset, &header, data.data()) != 0) return errno;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

bool join(gid_t group) {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  if (count < 0) return false;
  groups.resize(static_cast<std::size_t>(count));
  groups.push_back(group);
  return setgroups(groups.size(), groups.data()) == 0;
}

// The C library makes every thread follow.
Status become(const std::optional<User>& user, std::optional<gid_t> group) {
  const bool other = user && (geteuid() != user->uid || getuid() != user->uid);
  if (other && geteuid() != 0) {
    return Error{"run-as=" + user->name + ": only root can become another user; start as root or as " +
                 user->name};
  }
  if (other && initgroups(user->name.c_str(), user->gid) != 0) {
    return Error{"run-as=" + user->name + ": its groups: " + std::strerror(errno)};
  }
  if (group && geteuid() == 0 && !join(*group)) {
    return Error{"joining group " + std::to_string(*group) + ": " + std::strerror(errno)};
  }
  if (!other) return Unit{};
  // Changing the user forgets whose death we wanted to be told of.
  int parent_death = 0;
  prctl(PR_GET_PDEATHSIG, &parent_death, 0, 0, 0);
  if (setresgid(user->gid, user->gid, user->gid) != 0 || setresuid(user->uid, user->uid, user->uid) != 0) {
    return Error{"run-as=" + user->name + ": " + std::strerror(errno)};
  }
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, parent_death, 0, 0, 0);
  return Unit{};
}

constexpr std::array<std::pair<int, const char*>, 6> kNames{{{CAP_NET_ADMIN, "net_admin"},
                                                             {CAP_NET_RAW, "net_raw"},
                                                             {CAP_NET_BIND_SERVICE, "net_bind_service"},
                                                             {CAP_IPC_LOCK, "ipc_lock"},
                                                             {CAP_DAC_OVERRIDE, "dac_override"},
                                                             {CAP_DAC_READ_SEARCH, "dac_read_search"}}};

}  // namespace

Status reduce_privileges(const std::optional<User>& user, CapabilitySet kept, std::optional<gid_t> group) {
  if (auto prepared = on_every_thread(prepare_thread, &kept); !prepared) {
    return Error{"giving up privileges: " + prepared.error()};
  }
  if (auto became = become(user, group); !became) return became;
  if (auto limited = on_every_thread(limit_thread, &kept); !limited) {
    return Error{"giving up capabilities: " + limited.error()};
  }
  return Unit{};
}

std::string describe_privileges(const std::optional<User>& user, CapabilitySet kept) {
  std::string names;
  for (const auto& [capability, name] : kNames) {
    if (kept.contains(capability)) names += std::string(names.empty() ? "" : ", ") + name;
  }
  const std::string who = user ? user->name : geteuid() == 0 ? "root" : "unchanged";
  return "user " + who + ", capabilities: " + (names.empty() ? "none" : names);
}

}  // namespace turnpike::process
