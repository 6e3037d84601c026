// SPDX-License-Identifier: BSD-3-Clause
// One loop: look-ups first, then what time demands.
#include "control/auth/lookup_thread.hpp"

#include <algorithm>

namespace turnpike::control {
namespace {

constexpr std::chrono::milliseconds kFirstBackOff{250};
constexpr std::chrono::milliseconds kLongestBackOff{4000};

}  // namespace

LookupThread::~LookupThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

StoreOpening LookupThread::open() {
  StoreOpening opening = store_->open();
  if (opening.outcome == StoreOpening::Outcome::kReady) {
    up_ = true;
    refresh();
  } else {
    on_failure(opening.text);
  }
  return opening;
}

void LookupThread::start(std::function<void()> wake) {
  wake_ = std::move(wake);
  thread_ = std::thread([this] { run(); });
}

bool LookupThread::push(UserLookup lookup) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueueSize) return false;
    queue_.push_back(std::move(lookup));
  }
  changed_.notify_one();
  return true;
}

LookupThread::Delivery LookupThread::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(delivery_, {});
}

void LookupThread::deliver(const std::function<void(Delivery&)>& add) {
  {
    const std::lock_guard lock(mutex_);
    add(delivery_);
  }
  if (wake_) wake_();
}

std::optional<UserLookup> LookupThread::next() {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, act_at_, [this] { return stopping_ || !queue_.empty(); });
  if (stopping_ || queue_.empty()) return std::nullopt;
  UserLookup lookup = std::move(queue_.front());
  queue_.pop_front();
  return lookup;
}

void LookupThread::run() {
  for (;;) {
    if (auto lookup = next()) serve(std::move(*lookup));
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    if (Clock::now() < act_at_) continue;
    if (up_ || reconnect()) refresh();
  }
}

void LookupThread::serve(UserLookup lookup) {
  LookupResult result;
  if (auto found = find(lookup)) {
    result.key_text = std::move(*found);
  } else {
    result.failed = true;
  }
  result.lookup = std::move(lookup);
  deliver([&](Delivery& delivery) { delivery.results.push_back(std::move(result)); });
}

// A connection that broke unnoticed (the server was restarted) costs nobody an error: the first one who finds
// it tries once more on a new one.
Result<std::optional<std::string>> LookupThread::find(const UserLookup& lookup) {
  if (!up_) return Error{"the database is down"};
  auto found = store_->find_key(lookup.realm, lookup.name);
  if (found) return found;
  const StoreOpening opening = store_->open();
  if (opening.outcome != StoreOpening::Outcome::kReady) {
    on_failure(opening.text);
    return found;
  }
  return store_->find_key(lookup.realm, lookup.name);  // a second error is this look-up's alone
}

bool LookupThread::reconnect() {
  const StoreOpening opening = store_->open();
  if (opening.outcome != StoreOpening::Outcome::kReady) {
    on_failure(opening.text);
    return false;
  }
  return true;
}

void LookupThread::serve_waiting() {
  std::deque<UserLookup> waiting;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) waiting.swap(queue_);
  }
  for (UserLookup& lookup : waiting) serve(std::move(lookup));
}

bool LookupThread::refresh() {
  // Nobody waits for the end of a long snapshot.
  const auto between = [this] {
    if (up_) serve_waiting();
  };
  auto snapshot = store_->read_snapshot(between);
  if (!snapshot && up_ && store_->open().outcome == StoreOpening::Outcome::kReady) {
    snapshot = store_->read_snapshot(between);
  }
  if (!snapshot) {
    on_failure(snapshot.error());
    return false;
  }
  const bool back = !std::exchange(up_, true);
  back_off_ = {};
  act_at_ = Clock::now() + refresh_;
  deliver([&](Delivery& delivery) {
    delivery.snapshot = std::move(*snapshot);
    if (back) delivery.trouble = std::string();
  });
  return true;
}

void LookupThread::on_failure(const std::string& text) {
  up_ = false;
  back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  act_at_ = Clock::now() + back_off_;
  deliver([&](Delivery& delivery) { delivery.trouble = text; });
}

}  // namespace turnpike::control
