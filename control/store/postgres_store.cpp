// SPDX-License-Identifier: BSD-3-Clause
// libpq without blocking calls: a server that hangs must not hold the look-ups for ever.
#include "control/store/postgres_store.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace turnpike::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kDefaultConnectTimeout{5};
constexpr std::chrono::seconds kQueryTimeout{5};

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ConnectionOptions = std::unique_ptr<PQconninfoOption, FreeOptions>;

std::string option_of(const ConnectionOptions& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr;
       ++option) {
    if (keyword == option->keyword && option->val != nullptr) return option->val;
  }
  return {};
}

std::chrono::seconds connect_timeout(const std::string& connection) {
  const ConnectionOptions options(PQconninfoParse(connection.c_str(), nullptr));
  const long given = std::strtol(option_of(options, "connect_timeout").c_str(), nullptr, 10);
  return given > 0 ? std::chrono::seconds(std::min(given, 60L)) : kDefaultConnectTimeout;
}

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

Status PostgresStore::check(const std::string& connection) {
  char* reason = nullptr;
  const ConnectionOptions options(PQconninfoParse(connection.c_str(), &reason));
  if (options != nullptr) return Unit{};
  // The reason quotes a piece of the text, which may be of the password.
  PQfreemem(reason);
  return Error{
      "psql-userdb: not a connection text; write \"host=HOST dbname=NAME user=USER password=PASSWORD "
      "connect_timeout=SECONDS\""};
}

std::string PostgresStore::name() const {
  const ConnectionOptions options(PQconninfoParse(connection_.c_str(), nullptr));
  const std::string host = option_of(options, "host");
  return "PostgreSQL database " + option_of(options, "dbname") + (host.empty() ? "" : " at " + host);
}

bool PostgresStore::wait(bool for_write, Deadline deadline) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return false;
  const short events = for_write ? POLLOUT : POLLIN;
  pollfd entry{PQsocket(link_.get()), events, 0};
  const int ready = poll(&entry, 1, static_cast<int>(left));
  return ready > 0 || (ready < 0 && errno == EINTR);
}

bool PostgresStore::connect(Deadline deadline) {
  for (;;) {
    switch (PQconnectPoll(link_.get())) {
      case PGRES_POLLING_OK:
        return true;
      case PGRES_POLLING_READING:
        if (!wait(false, deadline)) return false;
        break;
      case PGRES_POLLING_WRITING:
        if (!wait(true, deadline)) return false;
        break;
      default:
        return false;
    }
  }
}

StoreOpening PostgresStore::open() {
  broken_ = true;
  // "dbname" may be a whole connection text; what follows it counts over what stands in it. Names are UTF-8,
  // whatever the database keeps them in.
  const char* const keywords[] = {"fallback_application_name", "dbname", "client_encoding", nullptr};
  const char* const values[] = {"turnpike", connection_.c_str(), "UTF8", nullptr};
  link_.reset(PQconnectStartParams(keywords, values, 1));
  const bool begun = link_ != nullptr && PQstatus(link_.get()) != CONNECTION_BAD;
  if (!begun || !connect(Clock::now() + connect_timeout(connection_))) {
    const std::string reason = link_ == nullptr ? "out of memory" : PQerrorMessage(link_.get());
    link_.reset();
    return {StoreOpening::Outcome::kUnreachable,
            "psql-userdb: " + (reason.empty() ? std::string("no answer in time") : one_line(reason))};
  }
  PQsetnonblocking(link_.get(), 1);
  // Notices would go to standard error past the log.
  PQsetNoticeProcessor(
      link_.get(), [](void*, const char*) {}, nullptr);
  broken_ = false;
  return check_schema();
}

Error PostgresStore::failure(const char* text) {
  broken_ = PQstatus(link_.get()) != CONNECTION_OK;
  return Error{"psql-userdb: " + one_line(text)};
}

PostgresStore::Answer PostgresStore::receive(Deadline deadline) {
  for (int unsent = 1; (unsent = PQflush(link_.get())) != 0;) {
    if (unsent < 0 || !wait(true, deadline)) return nullptr;
  }
  Answer last;
  for (;;) {
    while (PQisBusy(link_.get()) != 0) {
      if (!wait(false, deadline) || PQconsumeInput(link_.get()) == 0) return nullptr;
    }
    PGresult* result = PQgetResult(link_.get());
    if (result == nullptr) return last;
    last.reset(result);
  }
}

Result<PostgresStore::Rows> PostgresStore::query(const std::string& statement, Parameters parameters) {
  if (link_ == nullptr) return Error{"psql-userdb: not connected"};
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(link_.get(), statement.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    return failure(PQerrorMessage(link_.get()));
  }
  const Answer answer = receive(Clock::now() + kQueryTimeout);
  if (answer == nullptr) {
    const std::string reason = one_line(PQerrorMessage(link_.get()));
    link_.reset();  // what is still under way must not become the next statement's answer
    broken_ = true;
    return Error{"psql-userdb: " + (reason.empty() ? std::string("no answer in time") : reason)};
  }
  const ExecStatusType status = PQresultStatus(answer.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    return failure(PQresultErrorMessage(answer.get()));
  }
  Rows rows(static_cast<std::size_t>(PQntuples(answer.get())));
  for (int row = 0; row < PQntuples(answer.get()); ++row) {
    for (int column = 0; column < PQnfields(answer.get()); ++column) {
      rows[static_cast<std::size_t>(row)].emplace_back(
          PQgetvalue(answer.get(), row, column),
          static_cast<std::size_t>(PQgetlength(answer.get(), row, column)));
    }
  }
  return rows;
}

}  // namespace turnpike::control
