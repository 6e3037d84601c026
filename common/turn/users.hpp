// SPDX-License-Identifier: BSD-3-Clause
// Where the server finds a user's keys. Keys, never passwords (RFC 8656 section 6).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/crypto.hpp"

namespace turnpike::turn {

struct UserKeys {
  std::string name;
  Md5Digest md5{};                     // MD5(name ":" realm ":" password), RFC 8489 section 9.2.2
  std::optional<Sha256Digest> sha256;  // SHA256(same); absent when only the MD5 key is known (name:0xKEY)
};

class Users {
public:
  virtual ~Users() = default;
  // The pointers stay valid until the caller of Server::handle_client gets control back.
  virtual const UserKeys* find(std::string_view name) const = 0;
  virtual const UserKeys* find_by_hash(const Sha256Digest& userhash) const = 0;  // SHA256(name ":" realm)
  virtual bool all_have_sha256() const = 0;  // decides whether PASSWORD-ALGORITHMS offers SHA-256
};

}  // namespace turnpike::turn
