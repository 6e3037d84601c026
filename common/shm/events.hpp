// SPDX-License-Identifier: BSD-3-Clause
// Dataplane -> control. What control receives is as little trusted as what it sends: lengths are checked on
// reading.
#pragma once

#include <cstdint>

#include "common/shm/commands.hpp"

namespace turnpike::shm {

enum class Event : std::uint16_t {
  kInvalid = 0,
  kStunRequest,  // StunRequest, then the STUN message; from the worker that owns the client's 5-tuple
  kFactRefused,  // FactRefused; the header's seq names the fact
  kPortChanged,  // no body: a port record (link, MAC, MTU) changed; from the main lcore
  kDtls,         // StunRequest, then a DTLS datagram to a listening endpoint that is a kernel socket of the worker's
  kToClient,     // ToClient, then a finished ChannelData message or Data indication, unpadded
  kCount
};

struct StunRequest {
  wire::Endpoint client;
  wire::Endpoint server;
  LinkPath path;
};
static_assert(sizeof(StunRequest) == 60);

// For a client that control serves (kServedByControl).
struct ToClient {
  Slot allocation;
};
static_assert(sizeof(ToClient) == 8);

enum class Refusal : std::uint32_t {
  kTableFull = 1,
  kInvalid = 2,
  kPortTaken = 3,     // another process holds the relay port
  kNoDescriptor = 4,  // no socket could be opened: descriptor limit or memory
};

struct FactRefused {
  Refusal reason = Refusal::kTableFull;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(FactRefused) == 8 && Body<StunRequest> && Body<FactRefused> && Body<ToClient>);

}  // namespace turnpike::shm
