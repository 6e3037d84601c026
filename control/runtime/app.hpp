// SPDX-License-Identifier: BSD-3-Clause
// The running control process: event loop, signals, timers, admin socket around the engine.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/admin/admin_server.hpp"
#include "control/auth/user_directory.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/listeners/listeners.hpp"
#include "control/options.hpp"
#include "control/runtime/engine.hpp"
#include "control/runtime/port_holder.hpp"
#include "control/runtime/statistics.hpp"
#include "control/runtime/unique_fd.hpp"

namespace turnpike::control {

class App {
public:
  // `stop_signals` are blocked by the caller; run() unblocks them. One that comes while the dataplane is
  // still waited for makes this a null pointer.
  static Result<std::unique_ptr<App>> start(ControlOptions options, const sigset_t& stop_signals);

  // Serves until a stop signal (value) or until the dataplane is lost (error).
  Status run();

private:
  App(ControlOptions options, Attachment attachment, KernelNetwork network);

  Status open_users();
  Status prepare();  // addresses, reserved ports, engine
  Status make_engine(ServedAddresses served);
  Status announce();
  void watch();
  void watch_hangups();
  void watch_wake_ups();
  void watch_network();
  void watch_dataplane();
  void schedule_tick();
  void schedule_wake(Time at);
  void loop();
  void tick();
  void log_start() const;

  ControlOptions options_;
  OpensslCrypto crypto_;
  Attachment attachment_;
  KernelNetwork network_;
  std::vector<HeldEndpoint> held_endpoints_;
  std::optional<Engine> engine_;
  Statistics statistics_;
  Time started_{};

  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_};
  boost::asio::signal_set hangups_{io_};
  boost::asio::posix::stream_descriptor wake_control_{io_};
  boost::asio::posix::stream_descriptor netlink_{io_};
  boost::asio::posix::stream_descriptor dataplane_{io_};
  boost::asio::steady_timer tick_timer_{io_};
  boost::asio::steady_timer wake_timer_{io_};
  Time wake_at_ = kNever;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<Listeners> listeners_;
  std::uint64_t wake_value_ = 0;  // read from the eventfd
  bool stopping_ = false;
  bool probes_warned_ = false;
  std::optional<UserDirectory> users_;  // after io_, which its thread wakes
  std::string failure_;                 // why the loop ended, empty for a stop signal
};

}  // namespace turnpike::control
