// SPDX-License-Identifier: BSD-3-Clause
// A database that a test fills, takes down and brings back. Shared by the test and the look-up thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "control/store/store.hpp"

namespace turnpike::control {

struct FakeDatabase {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, std::string> keys;  // (realm, name) to text
  StoreSnapshot snapshot;
  std::atomic<bool> down{false};
  std::atomic<bool> unusable{false};
  std::atomic<bool> long_snapshot{false};  // as long as this is set
  std::atomic<int> lookups{0};
  std::atomic<int> fail_once{0};  // look-ups that find a broken connection on a server that is up
};

class FakeStore final : public Store {
public:
  explicit FakeStore(std::shared_ptr<FakeDatabase> database) : database_(std::move(database)) {}

  std::string name() const override { return "fake database"; }
  StoreOpening open() override {
    using Outcome = StoreOpening::Outcome;
    if (database_->down) return {Outcome::kUnreachable, "nobody answers"};
    if (database_->unusable) return {Outcome::kUnusable, "no table turnusers_lt"};
    return {};
  }
  Result<std::optional<std::string>> find_key(const std::string& realm, const std::string& user) override {
    ++database_->lookups;
    if (database_->down || database_->fail_once.exchange(0) != 0) return Error{"connection lost"};
    const std::lock_guard lock(database_->mutex);
    const auto found = database_->keys.find({realm, user});
    if (found == database_->keys.end()) return std::optional<std::string>();
    return std::optional(found->second);
  }
  Result<StoreSnapshot> read_snapshot(const std::function<void()>& between) override {
    do {
      between();
    } while (database_->long_snapshot);
    if (database_->down) return Error{"connection lost"};
    const std::lock_guard lock(database_->mutex);
    return database_->snapshot;
  }
  Status put_user(const std::string&, const std::string&, const std::string&) override { return Unit{}; }
  Result<bool> delete_user(const std::string&, const std::string&) override { return false; }
  Status put_value(ValueTable, const RealmValue&) override { return Unit{}; }
  Result<bool> delete_value(ValueTable, const RealmValue&) override { return false; }
  Result<std::vector<RealmValue>> list_users(const std::string&) override {
    return std::vector<RealmValue>();
  }
  Result<std::vector<RealmValue>> list_values(ValueTable, const std::string&) override {
    return std::vector<RealmValue>();
  }

private:
  std::shared_ptr<FakeDatabase> database_;
};

}  // namespace turnpike::control
