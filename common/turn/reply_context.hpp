// SPDX-License-Identifier: BSD-3-Clause
// What the answer to a request needs of the request, kept by value: the answer may be due after the request
// is gone.
#pragma once

#include "common/stun/integrity.hpp"
#include "common/turn/effects.hpp"

namespace turnpike::turn {

struct ReplyContext {
  FiveTuple to;
  WorkerIndex worker = 0;
  stun::Method method{};
  stun::TransactionId transaction{};
  bool fingerprint = false;                                    // the request had one
  stun::IntegrityKind integrity = stun::IntegrityKind::kNone;  // kNone until the request is authenticated
  std::uint8_t key_size = 0;
  std::array<std::uint8_t, 32> key{};

  Bytes key_bytes() const { return Bytes(key).first(key_size); }
};

}  // namespace turnpike::turn
