// SPDX-License-Identifier: BSD-3-Clause
// Keys made of endpoints, and their comparison for the hash.
#pragma once

#include <cstring>

#include "dataplane/flow.hpp"
#include "dataplane/local_addresses.hpp"

namespace turnpike::dataplane {

// A relayed address of an allocation, as a key needs it.
struct RelayRef {
  std::uint16_t local = kNoLocal;
  std::uint16_t port = 0;
};

inline int compare_keys(const void* a, const void* b, std::size_t /*size*/) {
  std::uint64_t left[3];
  std::uint64_t right[3];
  std::memcpy(left, a, sizeof left);
  std::memcpy(right, b, sizeof right);
  return ((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2])) != 0;
}

inline FlowKey make_key(const wire::Endpoint& remote, RelayRef local, KeyTag tag) noexcept {
  FlowKey key;
  key.remote = remote.address.bytes;
  key.remote_port = remote.port;
  key.local = local.local;
  key.local_port = local.port;
  key.tag = static_cast<std::uint16_t>(tag);
  return key;
}

// Whether `endpoint` is a relayed address of ours, and which.
inline bool relay_ref(const wire::Endpoint& endpoint, const LocalAddresses& locals, RelayRef& ref) noexcept {
  const LocalAddresses::Entry* entry = locals.find(endpoint.address);
  if (entry == nullptr || !entry->is_relay_port(endpoint.port)) return false;
  ref = {entry->index, endpoint.port};
  return true;
}

}  // namespace turnpike::dataplane
