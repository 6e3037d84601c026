// SPDX-License-Identifier: BSD-3-Clause
// Which database, as the options say it.
#pragma once

#include <memory>
#include <optional>

#include "common/config/options.hpp"
#include "control/store/store.hpp"

namespace turnpike::control {

struct StoreChoice {
  enum class Kind : std::uint8_t { kSqlite, kPostgres, kRedis };
  Kind kind = Kind::kSqlite;
  std::string where;  // a path or a connection text; the latter with its password

  // Nothing: no database is given. Refuses two of them, and connection texts that cannot be understood.
  static Result<std::optional<StoreChoice>> read(const config::Options& options);
};

// Not yet opened.
std::unique_ptr<Store> make_store(const StoreChoice& choice);

}  // namespace turnpike::control
