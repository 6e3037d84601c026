// SPDX-License-Identifier: BSD-3-Clause
// Commands go as lists of words, never as formats: names are whatever clients and operators write.
#include "control/store/redis_store.hpp"

#include <sys/time.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace turnpike::control {
namespace {

constexpr timeval kCommandTimeout{3, 0};
constexpr std::string_view kRealmPrefix = "turn/realm/";
constexpr std::string_view kOriginPrefix = "turn/origin/";
constexpr std::string_view kUserInfix = "/user/";
constexpr std::string_view kKeySuffix = "/key";
// The keys of users are the many, and end in "key"; nothing else below a realm ends so.
constexpr const char* kRealmPattern = "turn/realm/*[^y]";

std::string user_key(const std::string& realm, const std::string& user) {
  return std::string(kRealmPrefix) + realm + std::string(kUserInfix) + user + std::string(kKeySuffix);
}

std::string_view set_name(ValueTable table) {
  switch (table) {
    case ValueTable::kSecrets:
      return "secret";
    case ValueTable::kAllowedPeers:
      return "allowed-peer-ip";
    case ValueTable::kDeniedPeers:
      return "denied-peer-ip";
  }
  return {};
}

std::string set_key(ValueTable table, const std::string& realm) {
  return std::string(kRealmPrefix) + realm + "/" + std::string(set_name(table));
}

std::string escaped_pattern(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("*?[]\\^").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

bool parse_number(std::string_view text, int minimum, int maximum, int& out) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), out);
  return status == std::errc{} && end == text.data() + text.size() && out >= minimum && out <= maximum;
}

bool is_any(std::string_view key, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

std::string text_of(const redisReply& reply) {
  return reply.str == nullptr ? std::string() : std::string(reply.str, static_cast<std::size_t>(reply.len));
}

void sort_rows(std::vector<RealmValue>& rows) {
  std::sort(rows.begin(), rows.end(), [](const RealmValue& a, const RealmValue& b) {
    return a.realm != b.realm ? a.realm < b.realm : a.value < b.value;
  });
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
}

}  // namespace

// Every spelling of a word that coturn takes.
Result<RedisConnection> RedisConnection::parse(const std::string& text) {
  RedisConnection connection;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    bool fine = !value.empty();
    if (is_any(key, {"ip", "host", "addr", "ipaddr", "hostaddr"})) {
      connection.host = value;
    } else if (is_any(key, {"dbname", "db", "database"})) {
      int number = 0;
      fine = parse_number(value, 0, 1 << 20, number);
      connection.database = value;
    } else if (is_any(key, {"user", "uname", "name", "username"})) {
      connection.user = value;
    } else if (is_any(key, {"password", "pwd", "passwd", "secret"})) {
      connection.password = value;
    } else if (is_any(key, {"port", "p"})) {
      fine = parse_number(value, 1, 65535, connection.port);
    } else if (is_any(key, {"connect_timeout", "timeout"})) {
      fine = parse_number(value, 1, 60, connection.connect_timeout_s);
    } else {
      fine = false;
    }
    if (!fine) {
      return Error{"redis-userdb: \"" + key +
                   "\" is unknown or has no valid value; write \"ip=ADDRESS port=PORT dbname=NUMBER "
                   "password=PASSWORD connect_timeout=SECONDS\""};
    }
  }
  return connection;
}

std::string RedisStore::name() const {
  return "Redis database " + (connection_.database.empty() ? "0" : connection_.database) + " at " +
         connection_.host + ":" + std::to_string(connection_.port);
}

StoreOpening RedisStore::open() {
  const timeval timeout{connection_.connect_timeout_s, 0};
  context_.reset(redisConnectWithTimeout(connection_.host.c_str(), connection_.port, timeout));
  if (context_ == nullptr || context_->err != 0) {
    const std::string reason = context_ == nullptr ? "out of memory" : context_->errstr;
    context_.reset();
    return {StoreOpening::Outcome::kUnreachable, "redis-userdb: " + reason};
  }
  redisSetTimeout(context_.get(), kCommandTimeout);
  if (auto done = login(); !done) {
    // A server that is still reading its data says so by an error, too.
    return {StoreOpening::Outcome::kUnreachable, done.error()};
  }
  return {};
}

Status RedisStore::login() {
  std::vector<std::string> words{"AUTH"};
  if (!connection_.user.empty()) words.push_back(connection_.user);
  words.push_back(connection_.password);
  if (!connection_.password.empty()) {
    if (auto done = command(words); !done) return Error{done.error()};
  }
  if (!connection_.database.empty()) {
    if (auto done = command({"SELECT", connection_.database}); !done) return Error{done.error()};
  }
  if (auto done = command({"PING"}); !done) return Error{done.error()};
  return Unit{};
}

Result<RedisStore::Reply> RedisStore::command(const std::vector<std::string>& words) {
  if (context_ == nullptr) return Error{"redis-userdb: not connected"};
  std::vector<const char*> arguments;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    arguments.push_back(word.data());
    sizes.push_back(word.size());
  }
  Reply reply(static_cast<redisReply*>(
      redisCommandArgv(context_.get(), static_cast<int>(words.size()), arguments.data(), sizes.data())));
  if (reply == nullptr) {
    const std::string reason = context_->errstr;
    context_.reset();  // hiredis: of no use any more
    return Error{"redis-userdb: " + (reason.empty() ? std::string("no answer in time") : reason)};
  }
  if (reply->type == REDIS_REPLY_ERROR) return Error{"redis-userdb: " + text_of(*reply)};
  return reply;
}

Result<std::optional<std::string>> RedisStore::find_key(const std::string& realm, const std::string& user) {
  auto reply = command({"GET", user_key(realm, user)});
  if (!reply) return Error{reply.error()};
  if ((*reply)->type != REDIS_REPLY_STRING) return std::optional<std::string>();
  return std::optional(text_of(**reply));
}

Status RedisStore::scan(const std::string& pattern,
                        const std::function<Status(const std::string& key)>& visit,
                        const std::function<void()>& between) {
  std::string cursor = "0";
  do {
    auto reply = command({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"});
    if (!reply) return Error{reply.error()};
    if ((*reply)->type != REDIS_REPLY_ARRAY || (*reply)->elements != 2) {
      return Error{"redis-userdb: SCAN gives another answer than expected; is this a Redis server?"};
    }
    cursor = text_of(*(*reply)->element[0]);
    const redisReply& keys = *(*reply)->element[1];
    for (std::size_t i = 0; i < keys.elements; ++i) {
      if (auto done = visit(text_of(*keys.element[i])); !done) return done;
    }
    between();
  } while (cursor != "0");
  return Unit{};
}

Status RedisStore::read_members(const std::string& key, const std::string& realm,
                                std::vector<RealmValue>& rows) {
  auto reply = command({"SMEMBERS", key});
  if (!reply) return Error{reply.error()};
  for (std::size_t i = 0; i < (*reply)->elements; ++i)
    rows.push_back({realm, text_of(*(*reply)->element[i])});
  return Unit{};
}

// "turn/realm/REALM/KIND". A realm may have slashes, the kind has none.
Status RedisStore::read_realm_key(const std::string& key, StoreSnapshot& snapshot) {
  const std::size_t slash = key.rfind('/');
  if (slash < kRealmPrefix.size()) return Unit{};
  const std::string realm = key.substr(kRealmPrefix.size(), slash - kRealmPrefix.size());
  const std::string kind = key.substr(slash + 1);
  if (kind == set_name(ValueTable::kSecrets)) return read_members(key, realm, snapshot.secrets);
  if (kind == set_name(ValueTable::kAllowedPeers)) return read_members(key, realm, snapshot.allowed_peers);
  if (kind == set_name(ValueTable::kDeniedPeers)) return read_members(key, realm, snapshot.denied_peers);
  if (!is_any(kind, {"max-bps", "total-quota", "user-quota"})) return Unit{};
  auto value = command({"GET", key});
  if (!value) return Error{value.error()};
  snapshot.options.push_back({realm, kind, text_of(**value)});
  return Unit{};
}

Result<StoreSnapshot> RedisStore::read_snapshot(const std::function<void()>& between) {
  StoreSnapshot snapshot;
  auto done = scan(
      escaped_pattern(kOriginPrefix) + "*",
      [&](const std::string& key) -> Status {
        auto realm = command({"GET", key});
        if (!realm) return Error{realm.error()};
        snapshot.origins.push_back({key.substr(kOriginPrefix.size()), text_of(**realm)});
        return Unit{};
      },
      between);
  if (!done) return Error{done.error()};
  done = scan(
      kRealmPattern, [&](const std::string& key) { return read_realm_key(key, snapshot); }, between);
  if (!done) return Error{done.error()};
  for (auto* rows : {&snapshot.secrets, &snapshot.allowed_peers, &snapshot.denied_peers}) sort_rows(*rows);
  return snapshot;
}

Status RedisStore::put_user(const std::string& realm, const std::string& user, const std::string& key_text) {
  auto done = command({"SET", user_key(realm, user), key_text});
  if (!done) return Error{done.error()};
  return Unit{};
}

Result<bool> RedisStore::delete_user(const std::string& realm, const std::string& user) {
  auto done = command({"DEL", user_key(realm, user)});
  if (!done) return Error{done.error()};
  return (*done)->integer != 0;
}

Status RedisStore::put_value(ValueTable table, const RealmValue& row) {
  auto done = command({"SADD", set_key(table, row.realm), row.value});
  if (!done) return Error{done.error()};
  return Unit{};
}

Result<bool> RedisStore::delete_value(ValueTable table, const RealmValue& row) {
  auto done = command({"SREM", set_key(table, row.realm), row.value});
  if (!done) return Error{done.error()};
  return (*done)->integer != 0;
}

Result<std::vector<RealmValue>> RedisStore::list_users(const std::string& realm) {
  std::vector<RealmValue> users;
  const std::string pattern =
      std::string(kRealmPrefix) + (realm.empty() ? "*" : escaped_pattern(realm)) + "/user/*/key";
  auto done = scan(pattern, [&](const std::string& key) -> Status {
    const std::size_t infix = key.find(kUserInfix);
    const std::size_t name = infix + kUserInfix.size();
    users.push_back({key.substr(kRealmPrefix.size(), infix - kRealmPrefix.size()),
                     key.substr(name, key.size() - kKeySuffix.size() - name)});
    return Unit{};
  });
  if (!done) return Error{done.error()};
  sort_rows(users);
  return users;
}

Result<std::vector<RealmValue>> RedisStore::list_values(ValueTable table, const std::string& realm) {
  std::vector<RealmValue> rows;
  Status done = Unit{};
  if (!realm.empty()) {
    done = read_members(set_key(table, realm), realm, rows);
  } else {
    const std::string pattern = std::string(kRealmPrefix) + "*/" + std::string(set_name(table));
    done = scan(pattern, [&](const std::string& key) {
      const std::size_t slash = key.rfind('/');
      const bool whole = slash >= kRealmPrefix.size();
      return read_members(key, whole ? key.substr(kRealmPrefix.size(), slash - kRealmPrefix.size()) : "",
                          rows);
    });
  }
  if (!done) return Error{done.error()};
  sort_rows(rows);
  return rows;
}

}  // namespace turnpike::control
