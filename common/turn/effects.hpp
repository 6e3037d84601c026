// SPDX-License-Identifier: BSD-3-Clause
// What the pure TURN server wants done. Effects are facts in the order in which they must happen: a success
// response comes after the facts that it announces, so a client never hears "bound" before the packet path
// knows.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/time.hpp"
#include "common/base/types.hpp"
#include "common/wire/endpoint.hpp"

namespace turnpike::turn {

using wire::ClientEndpoint;
using wire::Endpoint;
using wire::Family;
using wire::IpAddress;
using wire::PeerEndpoint;
using wire::RelayEndpoint;
using wire::ServerEndpoint;

enum class Transport : std::uint8_t { kUdp, kTcp, kTls, kDtls };

// RFC 8656 section 3.2: what names an allocation.
struct FiveTuple {
  ClientEndpoint client;
  ServerEndpoint server;
  Transport transport = Transport::kUdp;
  friend bool operator==(const FiveTuple&, const FiveTuple&) noexcept = default;
};

// A slot in one worker's tables. The generation tells a reused slot from its former owner; 0 is never used.
struct SlotId {
  WorkerIndex worker = 0;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const SlotId&, const SlotId&) noexcept = default;
};

// Bytes live in the Effects that carries the effect.
struct Payload {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

// Facts carry `seq`, numbered one by one (from Config::first_fact on) per worker in the order of emission,
// and are idempotent. A relay or peer address of this server always stands in its own form
// (RelayAddress::own): a client behind 1:1 NAT names the advertised one, and who writes a Data indication
// shows the client the advertised one again.
struct InstallAllocation {
  std::uint64_t seq = 0;
  SlotId allocation;
  FiveTuple five_tuple;
  RelayEndpoint
      relay_v4;  // family kNone when there is none; the same fact with one of them gone removes that family
  RelayEndpoint relay_v6;
  Time deadline{};  // of the family that lives longer; the other one's end comes as a fact without it
  std::uint64_t max_bps = 0;  // bytes per second of each direction, 0: no limit
  // For a later server that takes over (Server::take_over), not for the packet path: the deadline of each
  // relayed address, and a note about the rest, which may be empty when it is as it was before.
  std::array<Time, 2> deadlines{};
  Payload note{};
};
struct RemoveAllocation {  // takes its permissions and channels with it
  std::uint64_t seq = 0;
  SlotId allocation;
};
struct InstallPermission {
  std::uint64_t seq = 0;
  SlotId permission;
  SlotId allocation;
  RelayEndpoint relay;  // the relayed address that it belongs to (family of the peer)
  IpAddress peer;
  Time deadline{};
};
struct RemovePermission {
  std::uint64_t seq = 0;
  SlotId permission;
  SlotId allocation;
};
struct InstallChannel {
  std::uint64_t seq = 0;
  SlotId channel;
  SlotId allocation;
  RelayEndpoint relay;
  PeerEndpoint peer;
  std::uint16_t number = 0;
  Time deadline{};             // of the channel: client to peer, and the ChannelData form towards the client
  Time permission_deadline{};  // of the peer's permission: peer to client needs both
};
struct RemoveChannel {
  std::uint64_t seq = 0;
  SlotId channel;
  SlotId allocation;
};

// Changes nothing: once it is applied, so is everything before it.
struct Mark {
  std::uint64_t seq = 0;
  WorkerIndex worker = 0;
};

// A STUN message for the client. When first_fact != 0 it may leave only after the facts first_fact..last_fact
// of `worker` were applied; if one of them was refused, it must not leave at all (Server::on_refused answers
// instead).
struct SendReply {
  FiveTuple to;
  WorkerIndex worker = 0;
  std::uint64_t first_fact = 0;
  std::uint64_t last_fact = 0;
  Payload message;
};
// Media of clients whose bytes pass through the server (stream transports): payload out of the relayed
// address.
struct RelayToPeer {
  SlotId allocation;
  RelayEndpoint relay;
  PeerEndpoint peer;
  std::uint16_t channel = 0;  // that it came on; 0: a Send indication
  bool dont_fragment = false;
  Payload data;
};
// Media for such a client: a finished Data indication or ChannelData message (padded on TCP and TLS).
struct RelayToClient {
  FiveTuple to;
  SlotId allocation;
  Payload message;
};

using Effect = std::variant<InstallAllocation, RemoveAllocation, InstallPermission, RemovePermission,
                            InstallChannel, RemoveChannel, Mark, SendReply, RelayToPeer, RelayToClient>;

// Reused by the caller from call to call; clear() keeps the memory.
class Effects {
public:
  void clear() {
    list_.clear();
    bytes_.clear();
  }
  void push(Effect effect) { list_.push_back(std::move(effect)); }
  Payload append(Bytes bytes) {
    const Payload payload{static_cast<std::uint32_t>(bytes_.size()),
                          static_cast<std::uint32_t>(bytes.size())};
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return payload;
  }
  // A header, what follows it, and zero bytes of padding.
  Payload append(Bytes header, Bytes body, std::size_t padding) {
    Payload payload = append(header);
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    bytes_.resize(bytes_.size() + padding);
    payload.size = static_cast<std::uint32_t>(bytes_.size() - payload.offset);
    return payload;
  }
  Bytes bytes(Payload payload) const { return Bytes(bytes_).subspan(payload.offset, payload.size); }
  const std::vector<Effect>& list() const { return list_; }

private:
  std::vector<Effect> list_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace turnpike::turn
