// SPDX-License-Identifier: BSD-3-Clause
// Where the server finds realms and users' keys. Keys, never passwords (RFC 8656 section 6).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/crypto.hpp"
#include "common/base/time.hpp"

namespace turnpike::turn {

struct UserKeys {
  std::string name;
  Md5Digest md5{};                     // MD5(name ":" realm ":" password), RFC 8489 section 9.2.2
  std::optional<Sha256Digest> sha256;  // SHA256(same); absent when only the MD5 key is known (name:0xKEY)
  std::string account;  // whose quota counts: an ephemeral name without its time; empty: the name itself
  Time valid_until = kNever;  // an ephemeral credential's end: nothing of the user outlives it
};

// Names one look-up that goes on elsewhere; 0 is none.
using LookupId = std::uint64_t;
inline constexpr LookupId kNoLookup = 0;
inline constexpr LookupId kRefusedLookup =
    ~LookupId{0};  // none goes on, as too many do: let the client repeat it

struct UserAnswer {
  enum class Kind : std::uint8_t {
    kUnknown,
    kFound,
    kPending,  // ask again when `lookup` has ended
    kFailed,   // nobody can say: the database is down
  };
  Kind kind = Kind::kUnknown;
  // Several where several secrets may have made the credential; all of one name.
  std::span<const UserKeys> keys;
  LookupId lookup = kNoLookup;
};

// What the operator allows one realm, 0: no limit of its own.
struct RealmLimits {
  std::uint64_t max_bps = 0;      // bytes per second of one allocation
  std::uint32_t total_quota = 0;  // allocations of all its users
  std::uint32_t user_quota = 0;   // allocations of one user
};

struct Realm {
  std::string name;
  bool offers_sha256 = true;  // all its users have such a key: PASSWORD-ALGORITHMS offers it
  bool finds_userhash = true;
  RealmLimits limits;
};

class Users {
public:
  virtual ~Users() = default;
  // What these refer to stays valid until the caller of Server::handle_client gets control back.
  virtual UserAnswer find(std::string_view realm, std::string_view name, Time now) = 0;
  // SHA256(name ":" realm), RFC 8489 section 14.4.
  virtual UserAnswer find_by_hash(std::string_view realm, const Sha256Digest& userhash, Time now) = 0;
  // A null pointer: not a realm of this server.
  virtual const Realm* realm(std::string_view name) const = 0;
  // What a client without credentials is asked for; `origin` is empty when it named none.
  virtual const Realm& realm_for_origin(std::string_view origin) const = 0;
};

}  // namespace turnpike::turn
