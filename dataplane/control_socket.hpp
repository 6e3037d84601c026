// SPDX-License-Identifier: BSD-3-Clause
// The socket where turnpike-control fetches the region. While its connection stays open it is attached; there
// is one at a time. Main lcore only.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.hpp"
#include "common/process/user.hpp"
#include "common/shm/handover.hpp"
#include "dataplane/reactor.hpp"

namespace turnpike::dataplane {

// Who else than root and our own user may come.
struct ControlAccess {
  std::optional<uid_t> owner;  // who we are going to be
  std::optional<process::User> control;
};

class ControlSocket {
public:
  using Notify = std::function<void(bool attached)>;

  static Result<std::unique_ptr<ControlSocket>> open(const std::string& path,
                                                     shm::HandoverDescriptors descriptors, Reactor& reactor,
                                                     Notify notify, const ControlAccess& access = {});
  ~ControlSocket();
  bool attached() const { return attached_ >= 0; }
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

private:
  ControlSocket(std::string path, shm::HandoverDescriptors descriptors, Reactor& reactor, Notify notify,
                const ControlAccess& access)
      : path_(std::move(path)),
        descriptors_(descriptors),
        reactor_(reactor),
        notify_(std::move(notify)),
        access_(access) {}
  Status open_to_others() const;
  void accept_one();
  void greet();
  void watch_attached();
  void detach();
  void close_newcomer();

  std::string path_;
  shm::HandoverDescriptors descriptors_;
  Reactor& reactor_;
  Notify notify_;
  ControlAccess access_;
  int listener_ = -1;
  int newcomer_ = -1;  // connected, its greeting not yet read
  int attached_ = -1;
  std::uint32_t attached_pid_ = 0;
};

}  // namespace turnpike::dataplane
