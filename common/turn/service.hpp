// SPDX-License-Identifier: BSD-3-Clause
// The parts of the server together, and one request on its way through them.
#pragma once

#include "common/turn/alternates.hpp"
#include "common/turn/commons.hpp"
#include "common/turn/config.hpp"
#include "common/turn/deletion_memory.hpp"
#include "common/turn/nonce.hpp"
#include "common/turn/peer_policies.hpp"
#include "common/turn/random_source.hpp"
#include "common/turn/reply_context.hpp"
#include "common/turn/server_counters.hpp"
#include "common/turn/sessions.hpp"
#include "common/turn/users.hpp"

namespace turnpike::turn {

struct Service {
  // `shared`: the commons of several servers; null: it has its own.
  Service(Config configuration, Crypto& cryptography, Users& user_keys, SessionObserver& session_observer,
          Commons* shared)
      : config(std::move(configuration)),
        crypto(cryptography),
        users(user_keys),
        policies{config.policy, {}},
        quotas(config.quotas),
        alternates(config.alternate_servers, config.share.part),
        observer(session_observer),
        random(cryptography),
        own(config.relay_addresses, config.relay_ports(), config.service_endpoints, config.local_peers),
        commons(shared != nullptr ? *shared : own_commons.emplace(config, random.value<std::uint64_t>())),
        nonces(cryptography, config.fleet_key),
        sessions(config, random, counters, own, commons, observer),
        deletions(random.value<std::uint64_t>(), config.max_remembered_deletions) {}

  // What the realm itself says; nothing for one that is unknown, and for the nobody of no-auth.
  RealmLimits limits_of(std::string_view realm) const {
    const Realm* found = users.realm(realm);
    return found == nullptr ? RealmLimits{} : found->limits;
  }
  // The bandwidth limit that an allocation of a user of this realm is to have, 0: none.
  std::uint64_t max_bps_of(std::string_view realm) const {
    const std::uint64_t own = limits_of(realm).max_bps;
    return std::min(own != 0 ? own : quotas.max_bps, kLargestBps);
  }

  const Config config;
  Crypto& crypto;
  Users& users;
  PeerPolicies policies;
  Quotas quotas;
  Alternates alternates;
  SessionObserver& observer;
  ServerCounters counters;
  RandomSource random;
  OwnAddresses own;
  std::optional<Commons> own_commons;
  Commons& commons;
  NonceKeys nonces;
  Sessions sessions;
  DeletionMemory deletions;
  bool draining = false;
};

struct Request {
  const FiveTuple& from;
  const stun::MessageView& message;
  Step& step;
  ReplyContext reply;
  UserName user{};            // set by authentication
  Time valid_until = kNever;  // likewise: when the user's credential ends
};

}  // namespace turnpike::turn
