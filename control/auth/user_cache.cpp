// SPDX-License-Identifier: BSD-3-Clause
// Two lists by last use under one index.
#include "control/auth/user_cache.hpp"

namespace turnpike::control {

// Names in here have no zero byte (is_user_name), so neither half can run into the other.
std::string UserCache::key_of(std::string_view realm, std::string_view name) {
  std::string key;
  key.reserve(realm.size() + 1 + name.size());
  return key.append(realm).append(1, '\0').append(name);
}

const UserCache::Entry* UserCache::find(std::string_view realm, std::string_view name, Time now) {
  const auto found = index_.find(key_of(realm, name));
  if (found == index_.end()) return nullptr;
  const List::iterator node = found->second;
  if (node->entry.until <= now) {
    erase(node);
    return nullptr;
  }
  Part& part = part_of(node->entry);
  part.nodes.splice(part.nodes.begin(), part.nodes, node);
  return &node->entry;
}

void UserCache::put(std::string_view realm, std::string_view name, Entry entry) {
  std::string key = key_of(realm, name);
  if (const auto known = index_.find(key); known != index_.end()) erase(known->second);
  Part& part = part_of(entry);
  if (part.nodes.size() >= part.capacity) erase(std::prev(part.nodes.end()));
  part.nodes.push_front({key, std::move(entry)});
  index_.emplace(std::move(key), part.nodes.begin());
}

void UserCache::erase(List::iterator node) {
  index_.erase(node->key);
  part_of(node->entry).nodes.erase(node);
}

}  // namespace turnpike::control
