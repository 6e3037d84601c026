// SPDX-License-Identifier: BSD-3-Clause
// The embedded database: one file, made on first use.
#pragma once

#include <sqlite3.h>
#include <sys/types.h>

#include <memory>

#include "control/store/sql_store.hpp"

namespace turnpike::control {

class SqliteStore final : public SqlStore {
public:
  explicit SqliteStore(std::string path) : path_(std::move(path)) {}

  std::string name() const override { return "SQLite database " + path_; }
  StoreOpening open() override;

private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  Status make_file();
  StoreOpening make_schema();
  Result<Rows> query(const std::string& statement, Parameters parameters) override;
  bool broken() const override { return broken_; }
  Error failure();
  bool is_same_file() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
  bool may_create_ = true;  // only at first: a file that vanishes later is not replaced by an empty one
  bool broken_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace turnpike::control
