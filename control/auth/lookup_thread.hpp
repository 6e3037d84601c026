// SPDX-License-Identifier: BSD-3-Clause
// The thread that talks to the database: look-ups from a bounded queue, and the rest of the database as a
// whole now and then. It reconnects by itself; while the database is down every look-up fails at once.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/turn/users.hpp"
#include "control/store/store.hpp"

namespace turnpike::control {

struct UserLookup {
  turn::LookupId id = turn::kNoLookup;
  std::string realm;
  std::string name;
};

struct LookupResult {
  UserLookup lookup;
  bool failed = false;
  std::optional<std::string> key_text;
};

class LookupThread {
public:
  static constexpr std::size_t kQueueSize = 1024;

  // What has come since it was last taken.
  struct Delivery {
    std::vector<LookupResult> results;
    std::optional<StoreSnapshot> snapshot;
    std::optional<std::string> trouble;  // set when the database went down; empty when it came back
  };

  LookupThread(std::unique_ptr<Store> store, std::chrono::nanoseconds refresh)
      : store_(std::move(store)), refresh_(refresh) {}
  ~LookupThread();  // waits for the call that is under way

  // Before start(), on the caller's thread: the first contact and the first snapshot.
  StoreOpening open();
  // `wake` is called on the look-up thread whenever there is something to take.
  void start(std::function<void()> wake);
  // False: too many wait already.
  bool push(UserLookup lookup);
  Delivery take();
  std::string store_name() const { return store_->name(); }

private:
  using Clock = std::chrono::steady_clock;

  void run();
  // Waits for a look-up or for the next moment to act.
  std::optional<UserLookup> next();
  void serve(UserLookup lookup);
  Result<std::optional<std::string>> find(const UserLookup& lookup);
  bool reconnect();
  bool refresh();
  // Looks up everybody who waits now.
  void serve_waiting();
  void on_failure(const std::string& text);
  void deliver(const std::function<void(Delivery&)>& add);

  // The look-up thread's own (until start() the caller's).
  std::unique_ptr<Store> store_;
  std::chrono::nanoseconds refresh_;
  bool up_ = false;
  std::chrono::milliseconds back_off_{};
  Clock::time_point act_at_{};  // when to refresh or, while it is down, to try again

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<UserLookup> queue_;
  Delivery delivery_;
  bool stopping_ = false;

  std::function<void()> wake_;
  std::thread thread_;
};

}  // namespace turnpike::control
