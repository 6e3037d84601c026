// SPDX-License-Identifier: BSD-3-Clause
// The running control process: what is done once for all of its shards. Start-up, signals, the dataplane's
// end, the admin socket, reload; all on the first shard's thread, which is the program's own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/process/notify.hpp"
#include "control/admin/admin_server.hpp"
#include "control/dataplane_link/ledger_head.hpp"
#include "control/options.hpp"
#include "control/runtime/drain.hpp"
#include "control/runtime/shard.hpp"
#include "control/runtime/statistics.hpp"

namespace turnpike::control {

class App {
public:
  // `stop_signals` are blocked by the caller; run() unblocks them. One that comes while the dataplane is
  // still waited for makes this a null pointer.
  // `given` is read again by reload(): it needs what the command line gave, secrets included.
  static Result<std::unique_ptr<App>> start(ControlOptions options, config::Options given,
                                            const sigset_t& stop_signals);

  // Serves until a stop signal (value), or until a dataplane comes that cannot take the sessions (error).
  // SIGTERM leaves the sessions in the ledger, to the next control; SIGINT ends them.
  Status run();

private:
  App(ControlOptions options, config::Options given, Attachment attachment);

  Status open_shards();
  Status prepare();  // addresses, reserved ports, engines
  Status make_engines(const ServedAddresses& served);
  Status hold(const ServedAddresses& served);
  Status announce();
  Status listen();
  Status reduce_privileges();
  Shard& first() { return *shards_.front(); }
  void watch();
  void watch_hangups();
  // SIGHUP and `turnpikectl reload`: applies what can change in a running relay (reload.cpp).
  struct Reloaded {
    std::vector<std::string_view> need_restart;  // options that changed and cannot
  };
  Result<Reloaded> reload();
  Result<Reloaded> apply(config::Options given);
  // `common` while no shard does anything else, then `each` by every shard before anything else: for what all
  // of them read without a lock, the options and the log. When `common` fails nobody does more.
  Status change_all(const std::function<Status()>& common, const std::function<void(Shard&)>& each);
  std::string answer(std::string_view line);
  Drain::Relay drained_relay();  // draining.cpp
  void keep_drain(const std::optional<DrainOrder>& order);
  void resume_drain();
  // The dataplane's end, and waiting for another one (dataplane_loss.cpp).
  void watch_dataplane();
  void lose_dataplane();
  void look_for_dataplane();
  void take_dataplane(Attachment next);
  void take_over();
  void end_sessions();  // draining.cpp
  turn::EndReason reason_of_end() const;
  void schedule_tick();
  void feed_watchdog(Time now);
  void stop_shards();
  void log_start();

  ControlOptions options_;
  config::Options given_;
  OpensslCrypto crypto_;
  Attachment attachment_;
  LedgerHead ledger_;
  Statistics statistics_;
  Time started_{};
  process::Notifier notifier_;

  std::deque<boost::asio::io_context> loops_;  // of each shard
  std::optional<turn::Commons> commons_;
  Admission admission_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::vector<HeldEndpoint>> held_;  // by shard, until it listens

  // On the first shard's loop.
  boost::asio::signal_set signals_;
  boost::asio::signal_set hangups_;
  Drain drain_;
  boost::asio::posix::stream_descriptor dataplane_;
  boost::asio::steady_timer tick_timer_;
  std::unique_ptr<AdminServer> admin_;
  boost::asio::steady_timer search_timer_;  // while there is no dataplane
  bool has_dataplane_ = true;
  Time lost_at_{};
  std::string told_;       // of why a dataplane was not taken
  bool for_good_ = false;  // the sessions are to end with us
  std::string failure_;    // why the shards end, empty for a stop signal
};

}  // namespace turnpike::control
