// SPDX-License-Identifier: BSD-3-Clause
// SQLite's C interface. Its own locks are waited for a moment only.
#include "control/store/sqlite_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace turnpike::control {
namespace {

constexpr int kBusyTimeoutMs = 2000;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// What time or an operator's hand at the file system mends, not one at the schema.
bool is_transient(int code) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
      return true;
    default:
      return false;
  }
}

std::string column_text(sqlite3_stmt* statement, int column) {
  const auto* text = sqlite3_column_text(statement, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

}  // namespace

// Readable for nobody else from the first moment; SQLite gives its journals the same mode.
Status SqliteStore::make_file() {
  const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return Unit{};
  if (fd < 0) {
    return Error{"userdb=" + path_ + ": cannot be made: " + std::strerror(errno) +
                 "; choose a folder that this user may write to"};
  }
  close(fd);
  return Unit{};
}

StoreOpening SqliteStore::open() {
  using Outcome = StoreOpening::Outcome;
  database_.reset();
  broken_ = true;
  // A path that is of no use from the beginning is a mistake; later it is a failure that may pass.
  const Outcome trouble = may_create_ ? Outcome::kUnusable : Outcome::kUnreachable;
  if (may_create_) {
    if (auto made = make_file(); !made) return {trouble, made.error()};
  }
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path_.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) return {trouble, failure().text + "; check path and permissions"};
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  struct stat status {};
  if (stat(path_.c_str(), &status) != 0) {
    return {Outcome::kUnreachable, "userdb=" + path_ + ": " + std::strerror(errno)};
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  broken_ = false;
  StoreOpening opening = may_create_ ? make_schema() : StoreOpening{};
  if (opening.outcome == Outcome::kReady) opening = check_schema();
  if (opening.outcome == Outcome::kReady) may_create_ = false;
  return opening;
}

// An empty database gets the tables; one with any tables is somebody's, and is left as it is.
StoreOpening SqliteStore::make_schema() {
  using Outcome = StoreOpening::Outcome;
  const auto tables = query("select count(*) from sqlite_master", {});
  if (!tables) return {broken() ? Outcome::kUnreachable : Outcome::kUnusable, tables.error()};
  if ((*tables)[0][0] != "0") return {};
  const std::string statements = "begin immediate;" + sql_schema() + "commit;";
  const int code = sqlite3_exec(database_.get(), statements.c_str(), nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  const Error error = failure();
  sqlite3_exec(database_.get(), "rollback", nullptr, nullptr, nullptr);
  // Two programs may have begun at the same moment: then the tables are there.
  return check_schema().outcome == Outcome::kReady ? StoreOpening{}
                                                   : StoreOpening{Outcome::kUnreachable, error.text};
}

Error SqliteStore::failure() {
  broken_ = database_ == nullptr || is_transient(sqlite3_errcode(database_.get()));
  const char* reason = database_ == nullptr ? "out of memory" : sqlite3_errmsg(database_.get());
  return Error{"userdb=" + path_ + ": " + reason};
}

bool SqliteStore::is_same_file() const {
  struct stat status {};
  return stat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

Result<SqliteStore::Rows> SqliteStore::query(const std::string& statement, Parameters parameters) {
  if (database_ == nullptr) return Error{"userdb=" + path_ + ": not open"};
  if (!is_same_file()) {  // SQLite would go on with the old one for ever
    broken_ = true;
    return Error{"userdb=" + path_ + ": the file is gone or was replaced"};
  }
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(database_.get(), statement.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
    return failure();
  }
  const Statement owner(prepared);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (sqlite3_bind_text(prepared, static_cast<int>(i + 1), parameters[i].data(),
                          static_cast<int>(parameters[i].size()), SQLITE_STATIC) != SQLITE_OK) {
      return failure();
    }
  }
  Rows rows;
  int code = 0;
  while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
    auto& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(prepared); ++i) row.push_back(column_text(prepared, i));
  }
  if (code != SQLITE_DONE) return failure();
  return rows;
}

}  // namespace turnpike::control
