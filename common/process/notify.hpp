// SPDX-License-Identifier: BSD-3-Clause
// Telling the service manager how we are: sd_notify(3)'s protocol, one datagram a message.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::process {

// Main thread only. Without a service manager every call does nothing.
class Notifier {
public:
  // Reads NOTIFY_SOCKET and WATCHDOG_USEC, which nothing that we start would want to inherit.
  Notifier();
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void ready(std::string_view status);  // from now on the watchdog is expected
  void status(std::string_view text);
  void alive();  // WATCHDOG=1
  void stopping();
  bool connected() const { return socket_ >= 0; }
  // How often alive() has to be called, half of what the manager allows; nothing: it does not watch.
  std::optional<std::chrono::microseconds> watchdog_interval() const { return watchdog_; }

private:
  void send(std::string_view text);

  int socket_ = -1;
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace turnpike::process
