// SPDX-License-Identifier: BSD-3-Clause
// All users and realms as the server asks for them: those of the options, ephemeral credentials, and those of
// a database through a cache. Never blocks: what only the database knows is pending until its thread has
// said.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/turn/users.hpp"
#include "control/auth/ephemeral.hpp"
#include "control/auth/lookup_thread.hpp"
#include "control/auth/realm_book.hpp"
#include "control/auth/static_users.hpp"
#include "control/auth/user_cache.hpp"

namespace turnpike::control {

struct DirectorySettings {
  std::string realm;
  turn::AddressPolicy policy;  // of the options
  EphemeralSettings ephemeral;
  bool store_has_users = false;  // its long-term users count; else only its realms, secrets and peer lists
  seconds cache_lifetime{30};
  bool complains = true;  // about rows that mean nothing: one of several threads is enough
};

class UserDirectory final : public turn::Users {
public:
  struct Counters {
    std::uint64_t hits = 0;     // answered by the cache
    std::uint64_t lookups = 0;  // asked of the database
    std::uint64_t found = 0;
    std::uint64_t unknown = 0;
    std::uint64_t failed = 0;     // the database was down, or went down
    std::uint64_t refused = 0;    // too many were waiting
    std::uint64_t malformed = 0;  // users whose key is neither form
    std::uint64_t outages = 0;    // how often the database went down
  };
  // Unix time, for ephemeral credentials.
  using WallClock = std::function<std::chrono::nanoseconds()>;

  // `users` and `crypto` must outlive the directory; `store` may be null.
  UserDirectory(DirectorySettings settings, const StaticUsers& users, Crypto& crypto,
                std::unique_ptr<Store> store, WallClock wall_clock);

  // The first contact with the database, which may block. Fails when its schema is not coturn's; one that is
  // down comes later.
  Status open();
  void start(std::function<void()> wake);

  turn::UserAnswer find(std::string_view realm, std::string_view name, Time now) override;
  turn::UserAnswer find_by_hash(std::string_view realm, const Sha256Digest& userhash, Time now) override;
  const turn::Realm* realm(std::string_view name) const override { return book_->find(name); }
  const turn::Realm& realm_for_origin(std::string_view origin) const override {
    return book_->of_origin(origin);
  }

  // Other settings of the options; `users`, given by reference, may have changed as well. What the database
  // said is asked anew.
  void reload(turn::AddressPolicy policy, EphemeralSettings ephemeral);

  // What the database's thread has brought since the last time.
  struct News {
    std::vector<turn::LookupId> ended;  // who waits for one of these may ask again
    bool policies_changed = false;
  };
  News take_news(Time now);
  const turn::PeerPolicies& policies() const { return book_->policies(); }

  bool has_store() const { return thread_ != nullptr; }
  bool store_is_up() const { return trouble_.empty(); }
  const std::string& trouble() const { return trouble_; }
  std::string store_name() const { return thread_->store_name(); }
  std::size_t realm_count() const { return book_->size(); }
  std::size_t cached() const { return cache_.size(); }
  const Counters& counters() const { return counters_; }

private:
  turn::UserAnswer find_ephemeral(std::string_view realm, std::string_view name, const EphemeralName& parsed,
                                  Time now);
  turn::UserAnswer find_stored(std::string_view realm, std::string_view name, Time now);
  void remember(const LookupResult& result, Time now);
  void note_trouble(const std::string& trouble);
  void make_book(const StoreSnapshot* snapshot);

  DirectorySettings settings_;
  const StaticUsers& users_;
  Crypto& crypto_;
  WallClock wall_clock_;
  std::unique_ptr<RealmBook> book_;
  std::optional<StoreSnapshot> snapshot_;  // the latest
  std::vector<std::string> complained_;    // already in the log
  UserCache cache_;
  std::unique_ptr<LookupThread> thread_;
  turn::LookupId last_lookup_ = turn::kNoLookup;
  std::string trouble_;
  std::vector<turn::UserKeys> ephemeral_keys_;  // of the latest answer
  turn::UserKeys stored_keys_;                  // likewise
  Counters counters_;
};

// The clock of the machine.
std::chrono::nanoseconds unix_time();

}  // namespace turnpike::control
