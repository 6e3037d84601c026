// SPDX-License-Identifier: BSD-3-Clause
// The region of a running dataplane, taken over its socket and held until it or we end.
#pragma once

#include <signal.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/shm/region.hpp"
#include "control/relay/port_location.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {

class Attachment {
public:
  // Both programs are started at the same time, so a dataplane that is not there yet is waited for. The
  // signals in `stop` (blocked by the caller) end the wait: nothing.
  static Result<std::optional<Attachment>> open(const std::string& path, seconds timeout,
                                                const sigset_t& stop);

  // The one that is there now; an error that begins with "no dataplane": none is, or it is starting.
  static Result<Attachment> take(const std::string& path);

  const shm::Region& region() const { return region_; }
  int connection() const { return connection_.get(); }  // readable: the dataplane is gone
  int wake_main() const { return wake_main_.get(); }
  // Of an event ring; written when whoever takes its events sleeps.
  int wake_control(WorkerIndex ring) const { return wake_control_[ring].get(); }
  int wake_workers() const { return wake_workers_.get(); }
  std::uint32_t dataplane_pid() const { return pid_; }
  std::string dataplane_version() const;
  WorkerIndex workers() const { return static_cast<WorkerIndex>(region_.capacity().workers); }

  // The port records as they are now, brought into bounds.
  std::vector<PortInfo> ports() const;

private:
  Attachment(shm::Region region, UniqueFd connection, UniqueFd wake_main, UniqueFd wake_workers,
             std::vector<UniqueFd> wake_control, std::uint32_t pid)
      : region_(std::move(region)),
        connection_(std::move(connection)),
        wake_main_(std::move(wake_main)),
        wake_workers_(std::move(wake_workers)),
        wake_control_(std::move(wake_control)),
        pid_(pid),
        port_count_(std::min(region_.header().port_count, shm::kMaxPorts)) {}

  shm::Region region_;
  UniqueFd connection_;
  UniqueFd wake_main_;
  UniqueFd wake_workers_;
  std::vector<UniqueFd> wake_control_;  // by event ring
  std::uint32_t pid_ = 0;
  std::uint32_t port_count_ = 0;  // as read once: the other process cannot change it later
};

const char* to_string(shm::PortKind kind);

}  // namespace turnpike::control
