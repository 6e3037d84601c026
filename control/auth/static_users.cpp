// SPDX-License-Identifier: BSD-3-Clause
// --user lines to keys (RFC 8489 sections 9.2.2 and 18.5.1).
#include "control/auth/static_users.hpp"

#include <cstring>

#include "control/store/key_text.hpp"

namespace turnpike::control {
namespace {

Result<turn::UserKeys> parse_user(std::string_view line, std::size_t number, const std::string& realm,
                                  Crypto& crypto) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return Error{"user (number " + std::to_string(number) + "): write NAME:PASSWORD or NAME:0xKEY"};
  }
  // The number, and not the name: what is wrong may be that the secret stands where the name should.
  auto keys = read_keys(crypto, line.substr(0, colon), realm, line.substr(colon + 1));
  if (!keys) {
    return Error{"user (number " + std::to_string(number) + "): " + keys.error() +
                 "; write NAME:PASSWORD or NAME:0xKEY"};
  }
  return keys;
}

}  // namespace

std::size_t StaticUsers::DigestHash::operator()(const Sha256Digest& digest) const noexcept {
  std::size_t hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

Result<StaticUsers> StaticUsers::parse(const std::vector<std::string>& lines, const std::string& realm,
                                       Crypto& crypto) {
  StaticUsers users;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto keys = parse_user(lines[i], i + 1, realm, crypto);
    if (!keys) return Error{keys.error()};
    users.all_have_sha256_ &= keys->sha256.has_value();
    const std::string name = keys->name;
    const auto [user, inserted] = users.by_name_.emplace(name, std::move(*keys));
    if (!inserted) return Error{"user=" + name + ": given twice; keep one of them"};
    users.by_hash_.emplace(crypto.sha256(as_bytes(name + ":" + realm)), &user->second);
  }
  return users;
}

const turn::UserKeys* StaticUsers::find(std::string_view name) const {
  const auto user = by_name_.find(name);
  return user == by_name_.end() ? nullptr : &user->second;
}

const turn::UserKeys* StaticUsers::find_by_hash(const Sha256Digest& userhash) const {
  const auto user = by_hash_.find(userhash);
  return user == by_hash_.end() ? nullptr : user->second;
}

}  // namespace turnpike::control
