// SPDX-License-Identifier: BSD-3-Clause
// When the other process goes, or was there before us. A dataplane that ends leaves all sessions here; the
// next one is told everything again, and clients notice nothing but a gap.
#include <fcntl.h>
#include <sys/socket.h>

#include "control/log/log.hpp"
#include "control/runtime/app.hpp"
#include "control/runtime/clock.hpp"

namespace turnpike::control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto kSearchInterval = std::chrono::milliseconds(50);

// What must be the same for the sessions to go on: slots, steering and addresses depend on it.
std::string difference(const Attachment& before, const Attachment& after) {
  if (!(before.region().capacity() == after.region().capacity())) {
    return "another number of workers or other sizes of tables (workers, max-allocations, max-permissions, "
           "max-channels, ring sizes)";
  }
  const auto names = [](const Attachment& attachment) {
    std::vector<std::string> list;
    for (const PortInfo& port : attachment.ports()) list.push_back(port.name);
    return list;
  };
  return names(before) == names(after) ? "" : "other ports";
}

}  // namespace

void App::take_over() {
  const Time now = monotonic_now();
  Engine::TakenOver all;
  for (const auto& shard : shards_) {
    const Engine::TakenOver one = shard->engine().take_over(now);
    all.sessions += one.sessions;
    all.lost += one.lost;
  }
  for (const auto& shard : shards_) {
    for (const auto& other : shards_) {
      if (other != shard) shard->engine().take_over_ports(other->share());
    }
  }
  for (const auto& shard : shards_) shard->engine().take_over_rest(now);
  spdlog::info(
      "took over {} session(s) of a former turnpike-control; {} cannot go on (their client's "
      "connection ended with it, or an address of theirs is no longer served)",
      all.sessions, all.lost);
}

void App::watch_dataplane() {
  // Asio closes what it is given: it gets a duplicate.
  if (!dataplane_.is_open()) dataplane_.assign(fcntl(attachment_.connection(), F_DUPFD_CLOEXEC, 0));
  dataplane_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
    if (error) return;
    char byte;
    const ssize_t size = recv(attachment_.connection(), &byte, sizeof byte, MSG_DONTWAIT);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return watch_dataplane();
    lose_dataplane();
  });
}

void App::lose_dataplane() {
  dataplane_.close();
  has_dataplane_ = false;
  lost_at_ = monotonic_now();
  told_.clear();
  std::atomic<std::size_t> sessions = 0;
  static_cast<void>(change_all([] { return Status(Unit{}); },
                               [&sessions](Shard& shard) {
                                 shard.disconnect();
                                 sessions += shard.engine().server().allocation_count();
                               }));
  spdlog::warn("the dataplane (PID {}) is gone; {} session(s) wait for another one at {}",
               attachment_.dataplane_pid(), sessions.load(), options_.paths.dataplane_socket);
  look_for_dataplane();
}

void App::look_for_dataplane() {
  auto next = Attachment::take(options_.paths.dataplane_socket);
  if (next) return take_dataplane(std::move(*next));
  // One that cannot be taken is told of once: it may yet be replaced by another one.
  if (!next.error().starts_with("no dataplane") && std::exchange(told_, next.error()) != next.error()) {
    spdlog::error("{}", next.error());
  }
  search_timer_.expires_after(kSearchInterval);
  search_timer_.async_wait([this](error_code error) {
    if (!error) look_for_dataplane();
  });
}

void App::take_dataplane(Attachment next) {
  if (const std::string differs = difference(attachment_, next); !differs.empty()) {
    failure_ =
        "the dataplane (PID " + std::to_string(next.dataplane_pid()) + ") that came has " + differs +
        ": the sessions cannot move to it and end; start turnpike-control again, and drain before such a "
        "change";
    return first().stop();
  }
  const Attachment former = std::exchange(attachment_, std::move(next));  // its ledger is read below
  const auto common = [this] {
    ledger_.move_to(attachment_.region());
    statistics_.restart();
    return Status(Unit{});
  };
  std::atomic<std::size_t> sessions = 0;
  static_cast<void>(change_all(common, [&](Shard& shard) {
    shard.connect();
    sessions += shard.engine().server().allocation_count();
  }));
  ledger_.set_ready();
  has_dataplane_ = true;
  spdlog::info(
      "attached to dataplane {}: {} session(s) are being installed again, {} ms after the former one "
      "had gone",
      attachment_.dataplane_pid(), sessions.load(),
      std::chrono::duration_cast<milliseconds>(monotonic_now() - lost_at_).count());
  watch_dataplane();
}

}  // namespace turnpike::control
