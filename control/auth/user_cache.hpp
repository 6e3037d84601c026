// SPDX-License-Identifier: BSD-3-Clause
// What the database said of users lately. Bounded: those that are used least are forgotten first, and names
// that do not exist never push out those that do.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/turn/users.hpp"

namespace turnpike::control {

class UserCache {
public:
  struct Entry {
    turn::UserAnswer::Kind kind = turn::UserAnswer::Kind::kUnknown;
    turn::UserKeys keys;                      // when it was found
    turn::LookupId lookup = turn::kNoLookup;  // while it is pending
    Time until = kNever;                      // good before that moment
  };

  UserCache(std::size_t found, std::size_t others) : found_{found, {}}, others_{others, {}} {}

  // A null pointer: nothing is known, or no longer. The pointer is good until the next put().
  const Entry* find(std::string_view realm, std::string_view name, Time now);
  void put(std::string_view realm, std::string_view name, Entry entry);
  std::size_t size() const { return index_.size(); }

private:
  struct Node {
    std::string key;
    Entry entry;
  };
  using List = std::list<Node>;  // the latest used first
  struct Part {
    std::size_t capacity;
    List nodes;
  };

  static std::string key_of(std::string_view realm, std::string_view name);
  Part& part_of(const Entry& entry) {
    return entry.kind == turn::UserAnswer::Kind::kFound ? found_ : others_;
  }
  void erase(List::iterator node);

  Part found_;
  Part others_;
  std::unordered_map<std::string, List::iterator> index_;
};

}  // namespace turnpike::control
