// SPDX-License-Identifier: BSD-3-Clause
// Look-ups in the system's user and group databases.
#include "common/process/user.hpp"

#include <grp.h>
#include <pwd.h>

#include <charconv>

namespace turnpike::process {
namespace {

std::optional<id_t> user_number(const std::string& text) {
  id_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<User> find_user(const std::string& option, const std::string& name) {
  const passwd* entry = getpwnam(name.c_str());
  const auto number = user_number(name);
  if (entry == nullptr && number) entry = getpwuid(*number);
  if (entry == nullptr) {
    return Error{option + "=" + name + ": there is no such user; make it with useradd --system " + name};
  }
  return User{entry->pw_name, entry->pw_uid, entry->pw_gid};
}

Result<std::optional<User>> find_optional_user(const std::string& option, const std::string& name) {
  if (name.empty()) return std::optional<User>();
  auto user = find_user(option, name);
  if (!user) return Error{user.error()};
  return std::optional(std::move(*user));
}

Result<gid_t> find_group(const std::string& option, const std::string& name) {
  const group* entry = getgrnam(name.c_str());
  if (entry == nullptr) {
    return Error{option + "=" + name + ": there is no such group; make it with groupadd --system " + name};
  }
  return entry->gr_gid;
}

}  // namespace turnpike::process
