// SPDX-License-Identifier: BSD-3-Clause
// PostgreSQL by libpq, every wait bounded.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>

#include "control/store/sql_store.hpp"

namespace turnpike::control {

class PostgresStore final : public SqlStore {
public:
  // As libpq takes it: "host=... dbname=... user=... password=... connect_timeout=...", or a postgresql://
  // URI.
  explicit PostgresStore(std::string connection) : connection_(std::move(connection)) {}
  // Whether libpq understands the text.
  static Status check(const std::string& connection);

  std::string name() const override;
  StoreOpening open() override;

private:
  using Deadline = std::chrono::steady_clock::time_point;
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Answer = std::unique_ptr<PGresult, Clear>;

  bool connect(Deadline deadline);
  bool wait(bool for_write, Deadline deadline) const;
  // The statement's last result; null when the connection failed or the time is up.
  Answer receive(Deadline deadline);
  Result<Rows> query(const std::string& statement, Parameters parameters) override;
  bool broken() const override { return broken_; }
  Error failure(const char* text);

  std::string connection_;
  std::unique_ptr<PGconn, Finish> link_;
  bool broken_ = true;
};

}  // namespace turnpike::control
