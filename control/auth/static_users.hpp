// SPDX-License-Identifier: BSD-3-Clause
// Users from --user lines, held as keys.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/result.hpp"
#include "common/turn/users.hpp"

namespace turnpike::control {

class StaticUsers {
public:
  // Lines are NAME:PASSWORD or NAME:0xKEY, 32 hex digits of MD5(NAME ":" realm ":" PASSWORD). An error names
  // the user or the line's number, never a password. Wiping the lines is up to their owner.
  static Result<StaticUsers> parse(const std::vector<std::string>& lines, const std::string& realm,
                                   Crypto& crypto);

  // A null pointer: unknown.
  const turn::UserKeys* find(std::string_view name) const;
  const turn::UserKeys* find_by_hash(const Sha256Digest& userhash) const;
  bool all_have_sha256() const { return all_have_sha256_; }
  std::size_t size() const { return by_name_.size(); }

private:
  struct NameHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct DigestHash {
    std::size_t operator()(const Sha256Digest& digest) const noexcept;
  };

  // Nodes of an unordered_map keep their address, which by_hash_ relies on (also when the map is moved).
  std::unordered_map<std::string, turn::UserKeys, NameHash, std::equal_to<>> by_name_;
  std::unordered_map<Sha256Digest, const turn::UserKeys*, DigestHash> by_hash_;
  bool all_have_sha256_ = true;
};

}  // namespace turnpike::control
