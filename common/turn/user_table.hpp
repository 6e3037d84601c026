// SPDX-License-Identifier: BSD-3-Clause
// The users who hold allocations, and how many: the per-user quota (RFC 8656 section 7.2 item 10).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

class UserTable {
public:
  struct User {
    std::string name;
    std::uint32_t allocations = 0;
  };

  explicit UserTable(std::uint64_t seed) : users_(0, Hash{seed}) {}

  std::uint32_t allocations(std::string_view name) const {
    const auto found = users_.find(name);
    return found == users_.end() ? 0 : found->second.allocations;
  }

  // The pointer is good until the matching leave().
  User* join(std::string_view name) {
    auto found = users_.find(name);
    if (found == users_.end()) found = users_.emplace(std::string(name), User{std::string(name), 0}).first;
    ++found->second.allocations;
    return &found->second;
  }
  void leave(User* user) {
    if (--user->allocations == 0) users_.erase(users_.find(user->name));
  }

private:
  struct Hash {
    using is_transparent = void;
    std::uint64_t seed;
    std::size_t operator()(std::string_view name) const {
      return wire::mix(std::hash<std::string_view>{}(name) ^ seed);
    }
  };
  std::unordered_map<std::string, User, Hash, std::equal_to<>> users_;
};

}  // namespace turnpike::turn
