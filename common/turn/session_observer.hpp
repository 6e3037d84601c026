// SPDX-License-Identifier: BSD-3-Clause
// Who is told when allocations begin and end and when somebody fails to prove who he is: the server itself
// has no log.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/time.hpp"
#include "common/turn/effects.hpp"

namespace turnpike::turn {

enum class EndReason : std::uint8_t {
  kDeleted,           // by its client: Refresh with lifetime 0
  kExpired,           // nobody refreshed it
  kRefused,           // the worker could not have it
  kConnectionClosed,  // the client's TCP or TLS connection is gone
  kAdmin,             // an operator's word
  kShutdown,          // the server stops
  kDrained,           // it was drained, and this one was left
  kDataplaneLost,     // nobody relays any more
};

constexpr std::string_view name_of(EndReason reason) {
  switch (reason) {
    case EndReason::kDeleted:
      return "deleted";
    case EndReason::kExpired:
      return "expired";
    case EndReason::kRefused:
      return "refused";
    case EndReason::kConnectionClosed:
      return "connection_closed";
    case EndReason::kAdmin:
      return "admin";
    case EndReason::kShutdown:
      return "shutdown";
    case EndReason::kDrained:
      return "drained";
    case EndReason::kDataplaneLost:
      break;
  }
  return "dataplane_lost";
}

enum class AuthenticationFailure : std::uint8_t {
  kUnknownUser,
  kWrongRealm,
  kNoSha256Key,    // the client chose SHA-256, of the user only the MD5 key is known
  kWrongPassword,  // the integrity does not fit the user's key
  kOthersAllocation,
};

constexpr std::string_view name_of(AuthenticationFailure why) {
  switch (why) {
    case AuthenticationFailure::kUnknownUser:
      return "unknown_user";
    case AuthenticationFailure::kWrongRealm:
      return "wrong_realm";
    case AuthenticationFailure::kNoSha256Key:
      return "no_sha256_key";
    case AuthenticationFailure::kWrongPassword:
      return "wrong_password";
    case AuthenticationFailure::kOthersAllocation:
      break;
  }
  return "others_allocation";
}

inline constexpr std::uint64_t kNeverInstalled = ~std::uint64_t{0};

// One allocation as it is told. Views and spans are good during the call.
struct SessionRecord {
  SlotId allocation;
  FiveTuple five_tuple;
  std::string_view realm;
  std::string_view user;
  RelayEndpoint relay_v4;  // as advertised; family kNone when there is none
  RelayEndpoint relay_v6;
  Time created{};
  // Before the worker has applied this fact, the slot's counters are a former allocation's; kNeverInstalled:
  // it refused it.
  std::uint64_t installed_by = kNeverInstalled;
  std::span<const IpAddress> peers;  // inside form; the first few that it had permissions for
  std::uint32_t peer_count = 0;      // all of them
};

// As the client says it, which is anything.
struct FailedClient {
  FiveTuple five_tuple;
  std::string_view realm;
  std::string_view user;  // empty when it sent a USERHASH that nobody has
};

class SessionObserver {
public:
  virtual ~SessionObserver() = default;
  // The worker has it: the client hears of it now. An allocation that the worker refuses never begins.
  virtual void on_begin(const SessionRecord& /*session*/) {}
  virtual void on_end(const SessionRecord& /*session*/, EndReason /*reason*/) {}
  virtual void on_authentication_failure(const FailedClient& /*client*/, AuthenticationFailure /*why*/) {}
};

}  // namespace turnpike::turn
