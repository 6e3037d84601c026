// SPDX-License-Identifier: BSD-3-Clause
// What the main lcore does while workers relay: control's socket and commands, kernel twins, link changes,
// the clock, signals. It sleeps in epoll whenever there is nothing to do.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/result.hpp"
#include "common/shm/region.hpp"
#include "dataplane/clock.hpp"
#include "dataplane/control_socket.hpp"
#include "dataplane/ending.hpp"
#include "dataplane/port/managed_port.hpp"
#include "dataplane/reactor.hpp"
#include "dataplane/watchdog.hpp"
#include "dataplane/worker_set.hpp"

namespace turnpike::dataplane {

struct HousekeepingConfig {
  const shm::Region* region = nullptr;
  std::span<ManagedPort* const> ports;
  WorkerSet* workers = nullptr;
  Clock* clock = nullptr;
  int signals = -1;    // signalfd of what stops the program
  int wake_main = -1;  // eventfds
  int wake_workers = -1;
  std::vector<int> wake_control;  // by event ring, main's own last
  std::string control_path;
  ControlAccess access;
  process::Notifier* notifier = nullptr;
};

class Housekeeping {
public:
  static Result<std::unique_ptr<Housekeeping>> create(const HousekeepingConfig& config);

  Ending run();

private:
  explicit Housekeeping(const HousekeepingConfig& config);
  Status prepare();
  void pass();
  void keep_twins();
  void tell_lost_sessions() const;
  bool has_work() const;
  int timeout_ms() const;
  void take_commands();
  void take(const shm::Message& message);
  void apply_addresses();
  void move_frames();
  void take_frames(HostPath& twin);
  void every_second(std::uint64_t now);
  void check_links();
  void find_lost_device();
  void tell_control(shm::Event event);
  shm::WorkerBlock& block() const { return config_.region->worker(config_.region->capacity().workers); }
  void count(shm::Counter counter) const;

  shm::Consumer commands_;
  shm::Producer events_;
  HousekeepingConfig config_;
  Reactor reactor_;
  std::unique_ptr<ControlSocket> control_;
  std::unique_ptr<shm::Message> message_;
  LocalAddressList addresses_;
  Watchdog watchdog_;
  std::vector<PortState> states_;  // as told last
  std::uint64_t next_second_ns_ = 0;
  std::optional<Ending> ending_;
};

// What control reads about a port before anything changes.
void fill_record(shm::PortRecord& record, const ManagedPort& port, const PortState& state);

}  // namespace turnpike::dataplane
