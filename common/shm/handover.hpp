// SPDX-License-Identifier: BSD-3-Clause
// How control gets the region: one exchange over the dataplane's Unix socket, file descriptors by SCM_RIGHTS.
// While the connection stays open control counts as attached; the dataplane refuses a second one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace turnpike::shm {

enum class HandoverStatus : std::uint32_t {
  kAccepted = 0,
  kOtherControl = 1,
  kOtherAbi = 2,
  kNotPermitted = 3
};

struct HandoverHello {  // control -> dataplane, first
  std::uint64_t magic = 0;
  std::uint32_t abi_version = 0;
  std::uint32_t pid = 0;
};
struct HandoverReply {  // dataplane -> control, with the descriptors when accepted
  std::uint64_t magic = 0;
  std::uint32_t abi_version = 0;
  HandoverStatus status = HandoverStatus::kAccepted;
  std::uint32_t pid = 0;  // of the dataplane, or of the control that is attached already
  std::uint32_t reserved = 0;
};

struct HandoverDescriptors {
  int region = -1;
  int wake_main = -1;             // eventfd: control -> main lcore
  int wake_workers = -1;          // eventfd: whoever has work for a worker that sleeps
  std::vector<int> wake_control;  // eventfds: each worker, and last the main lcore -> who takes its events
};

// Dataplane side, on an accepted SOCK_SEQPACKET connection. Neither call blocks longer than one second.
Result<HandoverHello> receive_hello(int connection);
Status send_reply(int connection, HandoverReply reply, const HandoverDescriptors& descriptors);
// True when the process at the other end runs as root or as our own user (SO_PEERCRED) or in `allowed_uid`.
bool peer_permitted(int connection, uid_t allowed_uid);

// Control side: connects to `path` and takes the descriptors. On success `connection` stays open and belongs
// to the caller, as do the descriptors. Errors name the path and the remedy; one that begins with "no
// dataplane" means that trying again may help: nobody is there, or nobody answers within a second.
struct Handover {
  int connection = -1;
  HandoverDescriptors descriptors;
  std::uint32_t dataplane_pid = 0;
};
Result<Handover> connect_to_dataplane(const std::string& path);

}  // namespace turnpike::shm
