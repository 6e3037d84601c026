// SPDX-License-Identifier: BSD-3-Clause
// Who is asked in which order, and what is remembered for how long.
#include "control/auth/user_directory.hpp"

#include <algorithm>
#include <cstring>

#include "control/auth/user_name.hpp"
#include "control/log/log.hpp"
#include "control/store/key_text.hpp"

namespace turnpike::control {
namespace {

using Kind = turn::UserAnswer::Kind;

constexpr std::size_t kCachedUsers = 65536;
constexpr std::size_t kCachedOthers = 16384;   // unknown, pending and failed names
constexpr Time kUnknownLifetime = seconds(5);  // a user who was just added is not refused for long
constexpr Time kFailedLifetime = seconds(1);

RealmDefaults realm_defaults(const DirectorySettings& settings, const StaticUsers& users) {
  return {settings.realm,          settings.policy,          settings.ephemeral.secrets,
          users.all_have_sha256(), settings.store_has_users, settings.ephemeral.enabled};
}

}  // namespace

std::chrono::nanoseconds unix_time() { return std::chrono::system_clock::now().time_since_epoch(); }

UserDirectory::UserDirectory(DirectorySettings settings, const StaticUsers& users, Crypto& crypto,
                             std::unique_ptr<Store> store, WallClock wall_clock)
    : settings_(std::move(settings)),
      users_(users),
      crypto_(crypto),
      wall_clock_(std::move(wall_clock)),
      cache_(kCachedUsers, kCachedOthers) {
  settings_.store_has_users &= store != nullptr;
  if (store) thread_ = std::make_unique<LookupThread>(std::move(store), settings_.cache_lifetime);
  make_book(nullptr);
}

Status UserDirectory::open() {
  if (!thread_) return Unit{};
  const StoreOpening opening = thread_->open();
  if (opening.outcome == StoreOpening::Outcome::kUnusable) return Error{opening.text};
  take_news(Time{});
  return Unit{};
}

void UserDirectory::start(std::function<void()> wake) {
  if (thread_) thread_->start(std::move(wake));
}

void UserDirectory::make_book(const StoreSnapshot* snapshot) {
  book_ = std::make_unique<RealmBook>(realm_defaults(settings_, users_), snapshot);
  for (const std::string& complaint : book_->complaints()) {
    const bool known = std::find(complained_.begin(), complained_.end(), complaint) != complained_.end();
    if (!known && settings_.complains) spdlog::warn("left out: {}", printable(complaint));
  }
  complained_ = book_->complaints();
}

void UserDirectory::reload(turn::AddressPolicy policy, EphemeralSettings ephemeral) {
  settings_.policy = std::move(policy);
  settings_.ephemeral = std::move(ephemeral);
  cache_ = UserCache(kCachedUsers, kCachedOthers);
  make_book(snapshot_ ? &*snapshot_ : nullptr);
}

turn::UserAnswer UserDirectory::find(std::string_view realm, std::string_view name, Time now) {
  if (realm == settings_.realm) {
    if (const turn::UserKeys* keys = users_.find(name)) return {Kind::kFound, {keys, 1}};
  }
  if (settings_.ephemeral.enabled) {
    if (const auto parsed = parse_ephemeral(name, settings_.ephemeral.separator)) {
      return find_ephemeral(realm, name, *parsed, now);
    }
  }
  if (!settings_.store_has_users || !is_user_name(name)) return {};
  return find_stored(realm, name, now);
}

turn::UserAnswer UserDirectory::find_by_hash(std::string_view realm, const Sha256Digest& userhash, Time) {
  const turn::UserKeys* keys = realm == settings_.realm ? users_.find_by_hash(userhash) : nullptr;
  return keys == nullptr ? turn::UserAnswer{} : turn::UserAnswer{Kind::kFound, {keys, 1}};
}

turn::UserAnswer UserDirectory::find_ephemeral(std::string_view realm, std::string_view name,
                                               const EphemeralName& parsed, Time now) {
  constexpr std::int64_t kDistant = std::int64_t{1} << 32;  // seconds; nanoseconds could not hold many more
  const auto wall = wall_clock_();
  const auto left_s = parsed.expires - std::chrono::duration_cast<seconds>(wall).count();
  const Time valid_until = left_s > kDistant ? kNever : now + (seconds(parsed.expires) - wall);
  if (valid_until <= now) return {};
  const std::vector<std::string>& secrets = book_->secrets(realm);
  // Nobody can say, rather than unknown, while the database's secrets have never been read.
  if (secrets.empty() && thread_ && !snapshot_.has_value()) return {Kind::kFailed, {}};
  ephemeral_keys_.clear();
  for (const std::string& secret : secrets) {
    std::string password = ephemeral_password(crypto_, secret, name);
    auto& keys = ephemeral_keys_.emplace_back(make_keys(crypto_, name, realm, password));
    explicit_bzero(password.data(), password.size());
    keys.account = parsed.account;
    keys.valid_until = valid_until;
  }
  if (ephemeral_keys_.empty()) return {};
  return {Kind::kFound, ephemeral_keys_};
}

turn::UserAnswer UserDirectory::find_stored(std::string_view realm, std::string_view name, Time now) {
  if (const UserCache::Entry* entry = cache_.find(realm, name, now)) {
    if (entry->kind == Kind::kPending) return {Kind::kPending, {}, entry->lookup};
    if (entry->kind == Kind::kFailed) return {Kind::kFailed, {}};
    ++counters_.hits;
    if (entry->kind == Kind::kUnknown) return {};
    stored_keys_ = entry->keys;
    return {Kind::kFound, {&stored_keys_, 1}};
  }
  const turn::LookupId lookup = ++last_lookup_;
  if (!thread_->push({lookup, std::string(realm), std::string(name)})) {
    ++counters_.refused;
    return {Kind::kPending, {}, turn::kRefusedLookup};
  }
  ++counters_.lookups;
  UserCache::Entry entry;
  entry.kind = Kind::kPending;
  entry.lookup = lookup;
  cache_.put(realm, name, std::move(entry));
  return {Kind::kPending, {}, lookup};
}

void UserDirectory::remember(const LookupResult& result, Time now) {
  UserCache::Entry entry;
  entry.until = now + std::min<Time>(settings_.cache_lifetime, kUnknownLifetime);
  if (result.failed) {
    ++counters_.failed;
    entry.kind = Kind::kFailed;
    entry.until = now + kFailedLifetime;
  } else if (const auto keys = result.key_text ? parse_key_text(*result.key_text) : std::nullopt) {
    ++counters_.found;
    entry.kind = Kind::kFound;
    entry.keys = *keys;
    entry.keys.name = result.lookup.name;
    entry.until = now + settings_.cache_lifetime;
    if (!keys->sha256) book_->withdraw_sha256(result.lookup.realm);
  } else {
    ++counters_.unknown;
    if (result.key_text) {
      ++counters_.malformed;
      spdlog::warn("user {} of realm {}: the key in the database is not 32 hex digits; add the user again",
                   printable(result.lookup.name), printable(result.lookup.realm));
    }
  }
  cache_.put(result.lookup.realm, result.lookup.name, std::move(entry));
}

void UserDirectory::note_trouble(const std::string& trouble) {
  if (trouble.empty()) {
    spdlog::info("{} is back", thread_->store_name());
  } else if (trouble_.empty()) {
    ++counters_.outages;
    spdlog::error("{} is down, its users get 500 until it is back: {}", thread_->store_name(),
                  printable(trouble));
  }
  trouble_ = trouble;
}

UserDirectory::News UserDirectory::take_news(Time now) {
  News news;
  if (!thread_) return news;
  LookupThread::Delivery delivery = thread_->take();
  if (delivery.trouble) note_trouble(*delivery.trouble);
  if (delivery.snapshot) {
    snapshot_ = std::move(delivery.snapshot);
    make_book(&*snapshot_);
    news.policies_changed = true;
  }
  for (LookupResult& result : delivery.results) {
    remember(result, now);
    if (result.key_text) explicit_bzero(result.key_text->data(), result.key_text->size());
    news.ended.push_back(result.lookup.id);
  }
  return news;
}

}  // namespace turnpike::control
